-- Which services reset their peers most, by cause and hour. :begin and :end in nanoseconds, :top rows.

-- answer: top
SELECT coalesce(service, workload, unit, container, comm, '(no process)') AS service, cause,
       ts - ts % 3600000000000 AS hour, sum(coalesce(count, 1)) AS resets,
       sum(CASE WHEN certainty = 'proven' THEN coalesce(count, 1) ELSE 0 END) AS proven, count(DISTINCT host) AS hosts
FROM sent_records
WHERE ts >= :begin AND ts < :end
GROUP BY coalesce(service, workload, unit, container, comm, '(no process)'), cause, ts - ts % 3600000000000
ORDER BY resets DESC, service, cause, hour
LIMIT :top
