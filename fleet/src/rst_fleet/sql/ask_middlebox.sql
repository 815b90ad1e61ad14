-- RSTs that something on the path sent in the name of the address they come from; see sql/join.sql for the evidence.

-- answer: middlebox
SELECT u.src AS source, u.sport AS sport, u.sender AS sender, u.host AS receiver, u.evidence AS evidence,
       count(*) AS resets, count(DISTINCT concat(u.dst, ' ', u.dport)) AS clients,
       min(u.ttl) AS lowest_ttl, max(u.ttl) AS highest_ttl, min(u.usual_ttl) AS usual_ttl, min(u.ts) AS first, max(u.ts) AS last
FROM unsent u
WHERE u.evidence IS NOT NULL AND u.ts >= :begin AND u.ts < :end
GROUP BY u.src, u.sport, u.sender, u.host, u.evidence
ORDER BY resets DESC, source, sport, receiver, evidence
LIMIT :top
