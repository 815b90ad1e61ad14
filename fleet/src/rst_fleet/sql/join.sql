-- The join of one hour: which received RST is which sent one. DuckDB and Spark run the same text. A step is a table that later
-- steps read; a view is only a name for a query; an output is written to the lake and read from there.
--
-- Input: sent_records, received_records, health_records, each of the hour and what is next to it; :begin and :end, the hour in
-- nanoseconds since 1970-01-01 UTC. All times are nanoseconds.
--
-- Addresses and ports change on the way (NAT); seq and ack do not, and are the key. What many RSTs have in common (a scanner
-- that always sends the same numbers) is told apart by addresses, and by the clocks.

-- view: all_sent
SELECT id, host, coalesce(cluster, '') AS cluster, ts, src, sport, dst, dport, ttl,
       (seq - 2147483648) * 4294967296 + ack AS numbers,
       ts - ts % 10000000000 + CASE WHEN flags LIKE '%A%' THEN 1 ELSE 0 END AS bucket
FROM sent_records
WHERE seq IS NOT NULL AND ack IS NOT NULL AND src IS NOT NULL AND dst IS NOT NULL AND sport IS NOT NULL AND dport IS NOT NULL
  AND ts >= :begin - 1000000000 AND ts < :end + 1000000000

-- view: all_received
SELECT id, host, coalesce(cluster, '') AS cluster, ts, src, sport, dst, dport, ttl,
       (seq - 2147483648) * 4294967296 + ack AS numbers,
       ts - ts % 10000000000 + CASE WHEN flags LIKE '%A%' THEN 1 ELSE 0 END AS bucket
FROM received_records
WHERE seq IS NOT NULL AND ack IS NOT NULL AND src IS NOT NULL AND dst IS NOT NULL AND sport IS NOT NULL AND dport IS NOT NULL
  AND ts >= :begin AND ts < :end

-- Numbers that more than 16 RSTs of ten seconds share: each of them with each other would be quadratic.
-- step: heavy
SELECT numbers, bucket FROM all_sent GROUP BY numbers, bucket HAVING count(*) > 16
UNION
SELECT numbers, bucket FROM all_received GROUP BY numbers, bucket HAVING count(*) > 16

-- A sent RST within a second of the edge of its ten seconds is in the next ten, too.
-- view: shifts
SELECT -10000000000 AS shift UNION ALL SELECT 0 UNION ALL SELECT 10000000000

-- view: sent
SELECT id, host, cluster, ts, src, sport, dst, dport, ttl, numbers, bucket + shift AS bucket
FROM all_sent JOIN shifts ON shift = 0 OR shift < 0 AND ts % 10000000000 <= 1000000000
                          OR shift > 0 AND ts % 10000000000 >= 9000000000

-- Heavy numbers are compared only where an end of the connection tells the RSTs apart: at most 16 share it.
-- step: heavy_numbers
SELECT * FROM all_sent WHERE numbers IN (SELECT numbers FROM heavy)

-- step: heavy_sent
SELECT id, host, cluster, ts, src, sport, dst, dport, ttl, s.numbers, bucket + shift AS bucket,
       count(*) OVER (PARTITION BY numbers, bucket + shift, src, sport) AS with_source,
       count(*) OVER (PARTITION BY numbers, bucket + shift, dst, dport) AS with_destination,
       row_number() OVER (PARTITION BY numbers, bucket + shift, src, sport, dst, dport ORDER BY ts, id) AS place
FROM heavy_numbers s JOIN shifts ON shift = 0 OR shift < 0 AND ts % 10000000000 <= 1000000000
                                 OR shift > 0 AND ts % 10000000000 >= 9000000000

-- step: heavy_received
SELECT r.*,
       count(*) OVER (PARTITION BY numbers, bucket, src, sport) AS with_source,
       count(*) OVER (PARTITION BY numbers, bucket, dst, dport) AS with_destination,
       row_number() OVER (PARTITION BY numbers, bucket, src, sport, dst, dport ORDER BY ts, id) AS place
FROM all_received r WHERE EXISTS (SELECT 1 FROM heavy h WHERE h.numbers = r.numbers AND h.bucket = r.bucket)

-- ends: 3 if neither end was translated, 1 if only the source is the same, 2 if only the destination is, 0 if neither is.
-- seen: what the sender saw, where that is not what the receiver saw.
-- step: candidates
SELECT r.id AS received_id, s.id AS sent_id, r.host AS received_host, s.host AS sent_host, r.ts AS ts, r.ts - s.ts AS dt,
       r.ttl AS ttl, s.ttl AS sent_ttl,
       CASE WHEN r.src = s.src AND r.sport = s.sport THEN 1 ELSE 0 END
       + CASE WHEN r.dst = s.dst AND r.dport = s.dport THEN 2 ELSE 0 END AS ends,
       CASE WHEN r.src = s.src AND r.sport = s.sport AND r.dst = s.dst AND r.dport = s.dport THEN NULL
            ELSE concat(s.src, ' ', s.sport, ' ', s.dst, ' ', s.dport) END AS seen
FROM all_received r JOIN sent s ON r.numbers = s.numbers AND r.bucket = s.bucket
WHERE abs(r.ts - s.ts) <= 1000000000
  AND NOT EXISTS (SELECT 1 FROM heavy h WHERE h.numbers = r.numbers AND h.bucket = r.bucket)
UNION ALL
SELECT r.id, s.id, r.host, s.host, r.ts, r.ts - s.ts, r.ttl, s.ttl, 3, NULL
FROM heavy_received r JOIN heavy_sent s
  ON r.numbers = s.numbers AND r.bucket = s.bucket AND r.src = s.src AND r.sport = s.sport AND r.dst = s.dst AND r.dport = s.dport
WHERE r.place <= 16 AND s.place <= 16 AND abs(r.ts - s.ts) <= 1000000000 AND r.cluster = s.cluster
UNION ALL
SELECT r.id, s.id, r.host, s.host, r.ts, r.ts - s.ts, r.ttl, s.ttl, 1, concat(s.src, ' ', s.sport, ' ', s.dst, ' ', s.dport)
FROM heavy_received r JOIN heavy_sent s
  ON r.numbers = s.numbers AND r.bucket = s.bucket AND r.src = s.src AND r.sport = s.sport
WHERE r.with_source <= 16 AND s.with_source <= 16 AND abs(r.ts - s.ts) <= 1000000000 AND r.cluster = s.cluster
  AND (r.dst <> s.dst OR r.dport <> s.dport)
UNION ALL
SELECT r.id, s.id, r.host, s.host, r.ts, r.ts - s.ts, r.ttl, s.ttl, 2, concat(s.src, ' ', s.sport, ' ', s.dst, ' ', s.dport)
FROM heavy_received r JOIN heavy_sent s
  ON r.numbers = s.numbers AND r.bucket = s.bucket AND r.dst = s.dst AND r.dport = s.dport
WHERE r.with_destination <= 16 AND s.with_destination <= 16 AND abs(r.ts - s.ts) <= 1000000000 AND r.cluster = s.cluster
  AND (r.src <> s.src OR r.sport <> s.sport)

-- How much later a host's clock makes a RST appear that it receives (by_received), or sends (by_sent): dt is their sum. Medians
-- in turn, since neither is known without the other.
-- step: clock_1
SELECT received_host AS host, median(dt) AS skew FROM candidates WHERE ends > 0 GROUP BY received_host

-- step: clock_2
SELECT c.sent_host AS host, median(c.dt - r.skew) AS skew
FROM candidates c JOIN clock_1 r ON r.host = c.received_host WHERE c.ends > 0 GROUP BY c.sent_host

-- step: clock_3
SELECT c.received_host AS host, median(c.dt - s.skew) AS skew, count(*) AS pairs
FROM candidates c JOIN clock_2 s ON s.host = c.sent_host WHERE c.ends > 0 GROUP BY c.received_host

-- step: clock_4
SELECT c.sent_host AS host, median(c.dt - r.skew) AS skew, count(*) AS pairs
FROM candidates c JOIN clock_3 r ON r.host = c.received_host WHERE c.ends > 0 GROUP BY c.sent_host

-- output: offsets
SELECT coalesce(r.host, s.host) AS host, r.skew AS by_received, s.skew AS by_sent,
       coalesce(r.pairs, 0) AS received_pairs, coalesce(s.pairs, 0) AS sent_pairs
FROM clock_3 r FULL JOIN clock_4 s ON r.host = s.host

-- residual: what the clocks of the two hosts leave of dt.
-- view: weighed
SELECT c.received_id, c.sent_id, c.received_host, c.sent_host, c.ts, c.dt, c.ttl, c.sent_ttl, c.ends, c.seen,
       abs(c.dt - r.skew - s.skew) AS residual
FROM candidates c LEFT JOIN clock_3 r ON r.host = c.received_host LEFT JOIN clock_4 s ON s.host = c.sent_host

-- step: contested
SELECT received_id FROM candidates GROUP BY received_id HAVING count(*) > 1

-- Candidates with the same translated ends that are several tuples of the sender: several connections share the numbers.
-- step: ambiguous
SELECT received_id, ends FROM candidates WHERE ends < 3 GROUP BY received_id, ends HAVING min(seen) <> max(seen)

-- An untranslated candidate comes first, then the one that the clocks fit best.
-- step: ranked
SELECT w.received_id, sent_id, received_host, sent_host, ts, dt, ttl, sent_ttl, w.ends, residual, a.ends IS NOT NULL AS several,
       row_number() OVER (PARTITION BY w.received_id ORDER BY CASE WHEN w.ends = 3 THEN 0 ELSE 1 END, residual, sent_id) AS place,
       lead(residual) OVER (PARTITION BY w.received_id ORDER BY CASE WHEN w.ends = 3 THEN 0 ELSE 1 END, residual, sent_id) AS next
FROM weighed w LEFT JOIN ambiguous a ON a.received_id = w.received_id AND a.ends = w.ends
WHERE EXISTS (SELECT 1 FROM contested x WHERE x.received_id = w.received_id) AND (a.ends IS NULL OR w.ends > 0)

-- Of several connections with the same numbers, the clocks pick one only if it fits ten times as well as the next.
-- output: pairs
SELECT received_id, sent_id, received_host, sent_host, ts, dt, ttl, sent_ttl, ends, residual
FROM weighed w
WHERE (ends = 3 OR residual < 50000000) AND NOT EXISTS (SELECT 1 FROM contested x WHERE x.received_id = w.received_id)
UNION ALL
SELECT received_id, sent_id, received_host, sent_host, ts, dt, ttl, sent_ttl, ends, residual
FROM ranked
WHERE place = 1 AND (ends = 3 OR residual < 50000000 AND (NOT several OR residual < 5000000 AND next > 50000000))

-- What was received and matches nothing that was sent. That alone is no sign of an injection: records get lost, and most senders
-- are outside the fleet. heavy: the numbers of this RST could not tell it from others.
-- step: unmatched
SELECT r.id, r.host, r.cluster, r.ts, r.src, r.sport, r.dst, r.dport, r.ttl, r.numbers, h.numbers IS NOT NULL AS heavy
FROM all_received r LEFT JOIN heavy h ON h.numbers = r.numbers AND h.bucket = r.bucket
WHERE NOT EXISTS (SELECT 1 FROM pairs p WHERE p.received_id = r.id)

-- Numbers that somebody did send within the hour: which of the RSTs it was is not known, or a clock was set meanwhile.
-- step: sent_numbers
SELECT DISTINCT numbers FROM all_sent WHERE numbers IN (SELECT numbers FROM unmatched)

-- Other RSTs of the same connection, whose sender is known.
-- step: matched_ends
SELECT r.host, r.src, r.sport, r.dst, r.dport, r.ts - r.ts % 60000000000 AS around, p.sent_host AS sender, p.ttl
FROM all_received r JOIN pairs p ON p.received_id = r.id
WHERE EXISTS (SELECT 1 FROM unmatched u WHERE u.host = r.host AND u.src = r.src AND u.sport = r.sport
              AND u.dst = r.dst AND u.dport = r.dport)
GROUP BY r.host, r.src, r.sport, r.dst, r.dport, r.ts - r.ts % 60000000000, p.sent_host, p.ttl

-- RSTs that the receiver itself sent on the same connection: whoever got them is its other end. A forged RST makes the real peer's
-- next segment such a one.
-- step: answered_ends
SELECT s.host, s.dst AS src, s.dport AS sport, s.src AS dst, s.sport AS dport, s.ts - s.ts % 60000000000 AS around,
       p.received_host AS sender
FROM all_sent s JOIN pairs p ON p.sent_id = s.id
WHERE EXISTS (SELECT 1 FROM unmatched u WHERE u.host = s.host AND u.src = s.dst AND u.sport = s.dport
              AND u.dst = s.src AND u.dport = s.sport)
GROUP BY s.host, s.dst, s.dport, s.src, s.sport, s.ts - s.ts % 60000000000, p.received_host

-- step: siblings
SELECT DISTINCT u.id, m.sender, m.ttl
FROM unmatched u JOIN matched_ends m
  ON m.host = u.host AND m.src = u.src AND m.sport = u.sport AND m.dst = u.dst AND m.dport = u.dport
WHERE m.around BETWEEN u.ts - 180000000000 AND u.ts + 120000000000
UNION
SELECT u.id, m.sender, NULL
FROM unmatched u JOIN answered_ends m
  ON m.host = u.host AND m.src = u.src AND m.sport = u.sport AND m.dst = u.dst AND m.dport = u.dport
WHERE m.around BETWEEN u.ts - 180000000000 AND u.ts + 120000000000

-- Whose addresses these are: of those that sent from them, and of those that say so.
-- step: address_owners
SELECT src AS address, cluster, host FROM all_sent WHERE src IN (SELECT src FROM unmatched)
UNION
SELECT address, cluster, host
FROM (SELECT host, coalesce(cluster, '') AS cluster, explode(addresses) AS address FROM health_records
      WHERE ts >= :begin AND ts < :end + 60000000000) listed
WHERE address IN (SELECT src FROM unmatched)

-- Who was seen behind a translated address and port.
-- step: services
SELECT r.src, r.sport, r.cluster, p.sent_host AS sender, count(*) AS pairs
FROM all_received r JOIN pairs p ON p.received_id = r.id
WHERE p.ends IN (0, 2) AND EXISTS (SELECT 1 FROM unmatched u WHERE u.src = r.src AND u.sport = r.sport)
GROUP BY r.src, r.sport, r.cluster, p.sent_host

-- Who may have sent it: who sent another RST of the connection; if nobody did, those whose address it is; if it is nobody's, those
-- seen behind it at least three times; only if they are few.
-- step: senders
SELECT DISTINCT id, sender FROM siblings
UNION ALL
SELECT u.id, o.host AS sender
FROM unmatched u JOIN address_owners o ON o.address = u.src AND o.cluster = u.cluster
WHERE NOT EXISTS (SELECT 1 FROM siblings s WHERE s.id = u.id)
  AND NOT EXISTS (SELECT 1 FROM (SELECT address, cluster FROM address_owners GROUP BY address, cluster
                                 HAVING count(*) > 8) shared
                  WHERE shared.address = u.src AND shared.cluster = u.cluster)
UNION ALL
SELECT u.id, v.sender
FROM unmatched u JOIN services v ON v.src = u.src AND v.sport = u.sport AND v.cluster = u.cluster
WHERE NOT EXISTS (SELECT 1 FROM siblings s WHERE s.id = u.id)
  AND NOT EXISTS (SELECT 1 FROM address_owners o WHERE o.address = u.src AND o.cluster = u.cluster)
  AND EXISTS (SELECT 1 FROM (SELECT src, sport, cluster FROM services GROUP BY src, sport, cluster
                             HAVING count(*) <= 8 AND sum(pairs) >= 3) known
              WHERE known.src = u.src AND known.sport = u.sport AND known.cluster = u.cluster)

-- With which TTL the RSTs of a sender usually come to a receiver.
-- step: distances
SELECT p.sent_host AS sender, p.received_host AS receiver, p.ttl, count(*) AS pairs
FROM pairs p
WHERE p.ttl IS NOT NULL
  AND EXISTS (SELECT 1 FROM senders s JOIN unmatched u ON u.id = s.id WHERE s.sender = p.sent_host AND u.host = p.received_host)
GROUP BY p.sent_host, p.received_host, p.ttl

-- When a possible sender would have sent it, by its own clock.
-- step: alleged
SELECT s.id, s.sender, u.ts - r.skew - x.skew AS at
FROM senders s JOIN unmatched u ON u.id = s.id JOIN clock_3 r ON r.host = u.host JOIN clock_4 x ON x.host = s.sender

-- Whether the host was watched and lost nothing, from ten seconds before that to ten seconds after it: a loss is noticed late.
-- step: watched
SELECT a.id, a.sender, min(h.ts - h.covered_ns) <= min(a.at) - 10000000000 AND max(h.ts) >= max(a.at) + 10000000000
       AND sum(h.covered_ns) >= max(h.ts) - min(h.ts - h.covered_ns) - 10000000
       AND sum(h.events_lost) = 0 AND sum(CASE WHEN h.filtered THEN 1 ELSE 0 END) = 0 AS lossless
FROM alleged a JOIN health_records h ON h.host = a.sender
WHERE h.ts >= a.at - 10000000000 AND h.ts - h.covered_ns <= a.at + 10000000000
GROUP BY a.id, a.sender

-- The counts that include the time: how many records the host has written.
-- step: tallies
SELECT a.id, a.sender, a.at, h.id AS tally, h.counted, h.counted_from, h.counted_to
FROM alleged a JOIN health_records h ON h.host = a.sender
WHERE h.counted_to >= a.at - 100000000 AND h.counted_from < a.at + 100000000
  AND h.counted_to - h.counted_from BETWEEN 1 AND 30000000000

-- view: all_records
SELECT host, ts FROM sent_records WHERE count IS NULL
UNION ALL
SELECT host, ts FROM received_records WHERE count IS NULL
UNION ALL
SELECT host, ts FROM other_records WHERE count IS NULL

-- view: tens
SELECT 0 AS later UNION ALL SELECT 10000000000 UNION ALL SELECT 20000000000 UNION ALL SELECT 30000000000

-- How many of them have come.
-- step: arrived
SELECT t.tally, count(*) AS records
FROM (SELECT DISTINCT tally, sender, counted_from, counted_to, counted_from - counted_from % 10000000000 + later AS ten
      FROM tallies JOIN tens ON true) t
JOIN all_records r ON r.host = t.sender AND r.ts - r.ts % 10000000000 = t.ten
WHERE r.ts > t.counted_from AND r.ts <= t.counted_to
GROUP BY t.tally

-- view: merged
SELECT host, ts, last_ts FROM sent_records WHERE count IS NOT NULL

-- complete: the host has recorded without loss at that time, all it wrote has come, and it wrote RSTs one by one.
-- step: complete
SELECT t.id, t.sender,
       min(t.counted_from) <= min(t.at) - 100000000 AND max(t.counted_to) >= max(t.at) + 100000000
       AND sum(t.counted_to - t.counted_from) = max(t.counted_to) - min(t.counted_from)
       AND sum(abs(t.counted - coalesce(n.records, 0))) = 0 AS complete
FROM tallies t JOIN watched w ON w.id = t.id AND w.sender = t.sender AND w.lossless LEFT JOIN arrived n ON n.tally = t.tally
WHERE NOT EXISTS (SELECT 1 FROM merged m WHERE m.host = t.sender
                  AND t.at BETWEEN m.ts - 1000000000 AND m.last_ts + 1000000000)
GROUP BY t.id, t.sender

-- step: by_connection
SELECT s.id, count(*) AS others, count(s.ttl) AS ttls, sum(CASE WHEN s.ttl = u.ttl THEN 1 ELSE 0 END) AS same, min(s.ttl) AS usual
FROM siblings s JOIN unmatched u ON u.id = s.id
GROUP BY s.id

-- How many of the possible senders are known well enough at this receiver to tell.
-- step: by_path
SELECT id, sum(CASE WHEN pairs >= 3 THEN 1 ELSE 0 END) AS known, sum(pairs) AS pairs, sum(same) AS same, min(usual) AS usual
FROM (SELECT u.id, s.sender, sum(d.pairs) AS pairs, sum(CASE WHEN d.ttl = u.ttl THEN d.pairs ELSE 0 END) AS same,
             min(d.ttl) AS usual
      FROM senders s JOIN unmatched u ON u.id = s.id JOIN distances d ON d.sender = s.sender AND d.receiver = u.host
      GROUP BY u.id, s.sender) each_sender
GROUP BY id

-- step: by_sender
SELECT s.id, count(*) AS senders, sum(CASE WHEN c.complete THEN 1 ELSE 0 END) AS complete, min(s.sender) AS sender
FROM senders s LEFT JOIN complete c ON c.id = s.id AND c.sender = s.sender
GROUP BY s.id

-- evidence that somebody in between sent it, in the name of the sender:
-- not-sent: whoever could have sent it has recorded without loss, and has not; that numbers survive the path is seen from others.
-- distance: it came with a TTL with which no other RST of the connection came, or none of at least three of each possible sender.
-- output: unsent
SELECT u.id, u.host, u.ts, u.src, u.sport, u.dst, u.dport, u.ttl, u.heavy, w.sender, coalesce(w.senders, 0) AS senders,
       coalesce(w.complete, 0) AS complete, coalesce(c.usual, p.usual) AS usual_ttl,
       CASE WHEN u.heavy OR n.numbers IS NOT NULL THEN NULL
            WHEN w.senders = w.complete AND (p.pairs > 0 OR c.others > 0) THEN 'not-sent'
            WHEN u.ttl IS NULL THEN NULL
            WHEN c.ttls > 0 AND c.same = 0 AND coalesce(p.same, 0) = 0 THEN 'distance'
            WHEN coalesce(c.ttls, 0) = 0 AND p.known = w.senders AND p.same = 0 THEN 'distance' END AS evidence
FROM unmatched u LEFT JOIN sent_numbers n ON n.numbers = u.numbers
LEFT JOIN by_sender w ON w.id = u.id LEFT JOIN by_connection c ON c.id = u.id LEFT JOIN by_path p ON p.id = u.id
