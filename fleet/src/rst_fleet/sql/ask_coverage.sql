-- For which hosts, and how much of the time from :begin to :end (nanoseconds), absence proves that something was not sent.

-- view: watched
SELECT host, sum(least(ts, :end) - greatest(ts - covered_ns, :begin)) AS covered,
       sum(CASE WHEN events_lost = 0 THEN least(ts, :end) - greatest(ts - covered_ns, :begin) ELSE 0 END) AS lossless,
       sum(events_lost) AS events_lost, sum(resets) AS written, max(files_dropped) AS files_dropped, max(ts) AS last,
       max(CASE WHEN filtered THEN 1 ELSE 0 END) AS filtered
FROM health_records
WHERE ts > :begin AND ts - covered_ns < :end
GROUP BY host

-- view: seen
SELECT host, sum(coalesce(count, 1)) AS arrived
FROM (SELECT host, count, ts FROM sent_records UNION ALL SELECT host, count, ts FROM received_records
      UNION ALL SELECT host, count, ts FROM other_records) every_kind
WHERE ts >= :begin AND ts < :end
GROUP BY host

-- view: clocks
SELECT host, avg(by_received - by_sent) / 2 AS ahead FROM offsets GROUP BY host

-- answer: coverage
SELECT coalesce(w.host, s.host) AS host,
       round(1e2 * coalesce(w.covered, 0) / (:end - :begin), 2) AS covered_percent,
       round(1e2 * coalesce(w.lossless, 0) / (:end - :begin), 2) AS lossless_percent,
       coalesce(w.events_lost, 0) AS events_lost, coalesce(w.files_dropped, 0) AS files_dropped,
       coalesce(w.written, 0) AS written, coalesce(s.arrived, 0) AS arrived,
       coalesce(w.filtered, 0) = 1 AS filtered, round(c.ahead / 1000000, 1) AS clock_ahead_ms, w.last AS last
FROM watched w FULL JOIN seen s ON s.host = w.host LEFT JOIN clocks c ON c.host = coalesce(w.host, s.host)
ORDER BY lossless_percent, host
LIMIT :top
