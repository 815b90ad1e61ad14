/// The tables of a report (docs/sqlite.md).
enum Schema {
    /// Of the tables: `PRAGMA user_version`.
    static let version = 1

    static let tables = """
        CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE inputs (
            id INTEGER PRIMARY KEY, file TEXT NOT NULL, kind TEXT NOT NULL, packets INTEGER NOT NULL, events INTEGER NOT NULL,
            damaged INTEGER NOT NULL, host TEXT, kernel TEXT);
        CREATE TABLE resets (
            id INTEGER PRIMARY KEY, time TEXT, ts INTEGER, src TEXT NOT NULL, sport INTEGER NOT NULL, dst TEXT NOT NULL,
            dport INTEGER NOT NULL, seq INTEGER, ack INTEGER, flags TEXT, direction TEXT NOT NULL, outcome TEXT NOT NULL,
            cause TEXT NOT NULL, category TEXT NOT NULL, certainty TEXT NOT NULL, candidates TEXT, summary TEXT NOT NULL,
            advice TEXT, process TEXT, pid INTEGER, role TEXT, exe TEXT, user TEXT, owner TEXT, owner_pid INTEGER, unit TEXT,
            container TEXT, container_name TEXT, pod TEXT, pod_name TEXT, namespace TEXT, cgroup TEXT, netns INTEGER, receiver TEXT, receiver_pid INTEGER, receiver_state TEXT,
            receiver_error TEXT, receiver_ignored TEXT, state TEXT, reason TEXT, follows INTEGER, path TEXT);
        CREATE TABLE evidence (
            reset INTEGER NOT NULL REFERENCES resets (id), number INTEGER NOT NULL, fact TEXT NOT NULL, source TEXT NOT NULL,
            PRIMARY KEY (reset, number)) WITHOUT ROWID;
        CREATE TABLE sightings (
            reset INTEGER NOT NULL REFERENCES resets (id), number INTEGER NOT NULL, input INTEGER NOT NULL REFERENCES inputs (id),
            packet INTEGER NOT NULL, interface TEXT, ts INTEGER NOT NULL, src TEXT, sport INTEGER, dst TEXT, dport INTEGER,
            PRIMARY KEY (reset, number)) WITHOUT ROWID;
        CREATE TABLE findings (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, pattern TEXT, cause TEXT NOT NULL, count INTEGER NOT NULL,
            first_ts INTEGER NOT NULL, last_ts INTEGER NOT NULL, example INTEGER NOT NULL REFERENCES resets (id),
            summary TEXT NOT NULL);
        CREATE TABLE refusals (
            id INTEGER PRIMARY KEY, time TEXT NOT NULL, ts INTEGER NOT NULL, src TEXT NOT NULL, sport INTEGER NOT NULL,
            dst TEXT NOT NULL, dport INTEGER NOT NULL, certainty TEXT NOT NULL, error TEXT, process TEXT, pid INTEGER,
            icmp_sender TEXT, icmp_type INTEGER, icmp_code INTEGER, summary TEXT NOT NULL);
        """

    /// Made when all rows are there, which is faster.
    static let indexes = """
        CREATE INDEX resets_ts ON resets (ts);
        CREATE INDEX resets_cause ON resets (cause, ts);
        CREATE INDEX resets_process ON resets (process, cause);
        CREATE INDEX resets_src ON resets (src, sport);
        CREATE INDEX resets_dst ON resets (dst, dport);
        CREATE INDEX resets_receiver ON resets (receiver);
        CREATE INDEX sightings_packet ON sightings (input, packet);
        CREATE INDEX findings_example ON findings (example);
        """
}
