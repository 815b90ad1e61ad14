-- Who reset a client (:address, and :port unless that is 0) between :begin and :end, in nanoseconds.
--
-- What the client's host recorded names the connection as the client sees it, and the join names the sender. RSTs that were sent
-- to the client and that its host did not record (it may be no host of the fleet) are listed, too.

-- step: got
SELECT * FROM received_records
WHERE dst = :address AND (:port = 0 OR dport = :port) AND ts >= :begin AND ts < :end

-- step: given
SELECT * FROM sent_records
WHERE dst = :address AND (:port = 0 OR dport = :port) AND ts >= :begin AND ts < :end

-- answer: who
SELECT r.ts AS seen_at, concat(r.src, ' ', r.sport) AS source, concat(r.dst, ' ', r.dport) AS destination,
       CASE WHEN s.id IS NOT NULL THEN 'sent and received'
            WHEN u.evidence = 'not-sent' THEN 'received, and not sent by whom it names'
            WHEN u.evidence = 'distance' THEN 'received, from elsewhere than it names'
            ELSE 'received, sender not recorded' END AS known,
       s.host AS host, coalesce(s.service, s.workload) AS service, coalesce(s.pod_name, s.pod) AS pod,
       coalesce(s.container_name, s.container) AS container, s.unit AS unit,
       s.pid AS pid, s.comm AS comm,
       coalesce(s.cause, CASE WHEN u.evidence IS NULL THEN r.cause ELSE 'injected' END) AS cause,
       CASE WHEN s.id IS NOT NULL THEN s.certainty WHEN u.evidence IS NOT NULL THEN 'inferred' ELSE r.certainty END AS certainty,
       coalesce(s.summary, CASE WHEN u.evidence IS NULL THEN r.summary END) AS summary,
       r.host AS receiver, r.receiver_pid AS receiver_pid, r.receiver_comm AS receiver_comm, r.receiver_error AS receiver_error
FROM got r LEFT JOIN pairs p ON p.received_id = r.id LEFT JOIN sent_records s ON s.id = p.sent_id
LEFT JOIN unsent u ON u.id = r.id
UNION ALL
SELECT s.ts, concat(s.src, ' ', s.sport), concat(s.dst, ' ', s.dport), 'sent, receiver not recorded', s.host,
       coalesce(s.service, s.workload), coalesce(s.pod_name, s.pod), coalesce(s.container_name, s.container), s.unit, s.pid, s.comm, s.cause, s.certainty, s.summary,
       NULL, NULL, NULL, NULL
FROM given s WHERE NOT EXISTS (SELECT 1 FROM pairs p WHERE p.sent_id = s.id)
ORDER BY seen_at, source, destination
LIMIT :top
