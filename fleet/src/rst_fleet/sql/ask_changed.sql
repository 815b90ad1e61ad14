-- RSTs a minute of each service and cause, before and after :since (from :begin to :end, nanoseconds), with the sums of squares
-- that tell how much they vary.

-- view: minutes
SELECT coalesce(service, workload, unit, container, comm, '(no process)') AS service, cause,
       CASE WHEN ts >= :since THEN 1 ELSE 0 END AS is_after, (ts - :since) - (ts - :since) % 60000000000 AS minute,
       CAST(sum(coalesce(count, 1)) AS DOUBLE) AS resets
FROM sent_records
WHERE ts >= :begin AND ts < :end
GROUP BY coalesce(service, workload, unit, container, comm, '(no process)'), cause,
         CASE WHEN ts >= :since THEN 1 ELSE 0 END, (ts - :since) - (ts - :since) % 60000000000

-- answer: changed
SELECT service, cause,
       sum(CASE WHEN is_after = 0 THEN resets ELSE 0 END) AS before, sum(CASE WHEN is_after = 1 THEN resets ELSE 0 END) AS after,
       sum(CASE WHEN is_after = 0 THEN resets * resets ELSE 0 END) AS before_squares,
       sum(CASE WHEN is_after = 1 THEN resets * resets ELSE 0 END) AS after_squares
FROM minutes
GROUP BY service, cause
ORDER BY service, cause
