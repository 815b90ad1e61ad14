/// The page's script: the table of RSTs, from the data that `HTMLRows` writes. It puts text into the page only as text.
enum HTMLScript {
    /// See `HTMLStyle.hash`.
    static let hash = "ZK4AX5i8TwEy/0spmyEcsyP3JpHWBN0X2Chf6LQng44="

    static let text = #"""
        "use strict";
        (() => {
        const byID = id => document.getElementById(id);
        const source = byID("data");
        if (!source) return;
        const data = JSON.parse(source.textContent);
        source.remove();
        const {rows, words, labels, answers} = data;
        const [ID, TIME, FROM, TO, VERDICT, CAUSE, CERTAINTY, DIRECTION, OUTCOME, NAME, PROCESS, ANSWER, FOLLOWS, DETAILS, LADDER] =
            Array(15).keys();
        const table = byID("resets"), body = table.tBodies[0], form = byID("filter"), more = byID("more");
        const step = 100;
        let found = [], limit = step, sortBy = "time", descending = false;
        const places = new Map(rows.map((row, place) => [row[ID], place]));
        const word = number => number < 0 ? "" : words[number];

        function element(name, content, className) {
            const made = document.createElement(name);
            if (content !== undefined) made.textContent = content;
            if (className) made.className = className;
            return made;
        }

        // Filters

        const selects = {cause: CAUSE, certainty: CERTAINTY, process: NAME};
        for (const [name, column] of Object.entries(selects)) {
            const counts = new Map();
            for (const row of rows) counts.set(row[column], (counts.get(row[column]) || 0) + 1);
            for (const [number, count] of [...counts].sort((a, b) => b[1] - a[1])) {
                const option = element("option", `${word(number) || "none known"} (${count})`);
                option.value = number;
                byID(name).append(option);
            }
        }
        answers.forEach((name, number) => {
            const option = element("option", name);
            option.value = number;
            byID("answer").append(option);
        });
        const haystacks = new Map();
        const haystack = row => {
            let text = haystacks.get(row);
            if (text === undefined) {
                text = [FROM, TO, VERDICT, DIRECTION, OUTCOME, PROCESS].map(column => word(row[column])).join(" ").toLowerCase()
                    + " #" + row[ID];
                haystacks.set(row, text);
            }
            return text;
        };

        function clear() {
            for (const name of ["text", "answer", ...Object.keys(selects)]) byID(name).value = "";
        }

        function filter() {
            const terms = byID("text").value.toLowerCase().split(/\s+/).filter(Boolean);
            const wanted = Object.entries({...selects, answer: ANSWER})
                .map(([name, column]) => [column, byID(name).value]).filter(([, value]) => value !== "")
                .map(([column, value]) => [column, Number(value)]);
            found = [];
            rows.forEach((row, place) => {
                if (wanted.every(([column, value]) => row[column] === value)
                    && (terms.length === 0 || terms.every(term => haystack(row).includes(term)))) found.push(place);
            });
            sort();
            limit = step;
            show();
        }

        // Sorting

        const collator = new Intl.Collator("en", {numeric: true});
        const columns = {from: FROM, to: TO, cause: VERDICT, process: PROCESS};
        const ranks = {};
        function rank(column) {
            if (!ranks[column]) {
                const used = [...new Set(rows.map(row => row[column]))].sort((a, b) => collator.compare(word(a), word(b)));
                ranks[column] = new Map(used.map((number, rank) => [number, rank]));
            }
            return ranks[column];
        }
        // Rows come in the order of time, and their numbers, too.
        function sort() {
            const column = columns[sortBy];
            const order = column === undefined ? null : rank(column);
            const sign = descending ? -1 : 1;
            found.sort((a, b) => sign * (order ? order.get(rows[a][column]) - order.get(rows[b][column]) : a - b) || a - b);
        }
        for (const button of table.tHead.querySelectorAll("button")) {
            button.addEventListener("click", () => {
                descending = sortBy === button.dataset.sort && !descending;
                sortBy = button.dataset.sort;
                for (const head of table.tHead.querySelectorAll("th")) head.removeAttribute("aria-sort");
                button.parentElement.setAttribute("aria-sort", descending ? "descending" : "ascending");
                sort();
                show();
            });
        }

        // The table

        const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

        function show() {
            body.replaceChildren(...found.slice(0, limit).map(rowOf));
            byID("shown").textContent = found.length === rows.length
                ? plural(rows.length, "reset") : `${found.length.toLocaleString("en")} of ${plural(rows.length, "reset")}`;
            tellLeft();
        }

        function tellLeft() {
            const left = found.length - limit;
            more.hidden = left <= 0;
            more.textContent = `Show ${Math.min(left, 2 * step).toLocaleString("en")} more of ${left.toLocaleString("en")}`;
        }
        more.addEventListener("click", () => {
            const added = found.slice(limit, limit + 2 * step).map(rowOf);
            limit += 2 * step;
            body.append(...added);
            tellLeft();
            added[0]?.querySelector("button").focus();
        });

        function cell(label, content) {
            const made = element("td");
            made.dataset.label = label;
            if (content) made.append(content);
            return made;
        }

        function rowOf(place) {
            const row = rows[place];
            const made = element("tr", undefined, "row");
            made.id = "r" + row[ID];
            const button = element("button", "#" + row[ID], "open");
            button.type = "button";
            button.setAttribute("aria-expanded", "false");
            button.addEventListener("click", () => toggle(made, button, row));
            made.append(
                cell("Reset", button), cell("Time", row[TIME]), cell("From", word(row[FROM])), cell("To", word(row[TO])),
                cell("Verdict", element("span", word(row[VERDICT]), word(row[CERTAINTY]))), cell("Process", word(row[PROCESS])));
            return made;
        }

        function toggle(line, button, row) {
            const isOpen = button.getAttribute("aria-expanded") === "true";
            button.setAttribute("aria-expanded", String(!isOpen));
            if (isOpen) {
                line.nextSibling.remove();
            } else {
                const made = element("tr", undefined, "detail"), only = element("td");
                only.colSpan = 6;
                only.append(...details(row));
                made.append(only);
                line.after(made);
            }
        }

        // Details of one RST

        function details(row) {
            const parts = [], list = element("dl"), facts = element("ul"), path = [];
            const term = (name, ...content) => {
                const value = element("dd");
                value.append(...content);
                list.append(element("dt", name), value);
            };
            const notes = [word(row[DIRECTION]), word(row[OUTCOME])].filter(note => note !== "unknown");
            term("verdict", element("span", word(row[VERDICT]), word(row[CERTAINTY])), notes.length ? " " + notes.join(", ") : "");
            if (row[FOLLOWS]) {
                const link = element("a", "#" + row[FOLLOWS]);
                link.href = "#r" + row[FOLLOWS];
                term("follows", link);
            }
            for (let at = 0; at < row[DETAILS].length; at += 3) {
                const [label, text, place] = row[DETAILS].slice(at, at + 3);
                switch (labels[label]) {
                case "summary": term("why", word(text)); break;
                case "evidence": {
                    const fact = element("li", word(text) + " ");
                    fact.append(element("span", "[" + word(place) + "]", "dim"));
                    facts.append(fact);
                    break;
                }
                case "path": path.push(word(text)); break;
                default: term(labels[label], word(text));
                }
            }
            parts.push(list);
            if (facts.children.length) parts.push(element("h4", "Evidence"), facts);
            if (row[LADDER].length) parts.push(...ladder(row));
            if (path.length) parts.push(element("h4", "Kernel path, innermost function first"), element("pre", path.join("\n  < "), "path"));
            return parts;
        }

        const flagNames = {F: "FIN", S: "SYN", R: "RST", P: "PSH", A: "ACK", U: "URG", E: "ECE", W: "CWR", e: "AE"};

        function ladder(row) {
            const [file, leftOut, ...flat] = row[LADDER];
            const rungs = [];
            for (let at = 0; at < flat.length; at += 9) {
                const [packet, time, own, flags, seq, ack, length, window, role] = flat.slice(at, at + 9);
                rungs.push({packet, time, own: own === 1, flags: word(flags), seq, ack, length, window, role});
            }
            // Numbers are relative to the SYN of their end, if it is there.
            const start = own => rungs.find(rung => rung.own === own && rung.flags.includes("S"))?.seq;
            const starts = {true: start(true), false: start(false)};
            const relative = (number, own) => {
                const first = starts[own], distance = first === undefined ? -1 : (number - first) >>> 0;
                return distance >= 0 && distance < 0x80000000 ? distance : number;
            };
            const made = element("table", undefined, "ladder"), head = element("tr"), ends = element("th");
            const pair = element("div", undefined, "ends");
            pair.append(element("span", word(row[FROM])), element("span", word(row[TO])));
            ends.append(pair);
            head.append(element("th", "time"), element("th", "packet", "packet"), ends);
            const headings = element("thead"), lines = element("tbody");
            headings.append(head);
            for (const rung of rungs) {
                const kind = rung.role === 1 ? "rst" : rung.role === 2 ? "trigger" : "";
                const line = element("tr", undefined, (rung.own ? "" : "back ") + kind);
                const names = [...rung.flags].map(letter => flagNames[letter] || letter).join(" ");
                let text = `${names || "no flags"} seq ${relative(rung.seq, rung.own)}`;
                if (rung.flags.includes("A")) text += ` ack ${relative(rung.ack, !rung.own)}`;
                text += ` len ${rung.length}`;
                if (rung.window >= 0 && !rung.flags.includes("R")) text += ` win ${rung.window}`;
                if (rung.role === 2) text += " (answered by the RST)";
                const at = rung.role === 1 ? "0" : (rung.time > 0 ? "+" : "\u2212") + (Math.abs(rung.time) / 1e6).toFixed(6);
                const cells = element("td", text, "line");
                cells.title = `packet ${rung.packet}: seq ${rung.seq}, ack ${rung.ack}` + (rung.own ? ", from " + word(row[FROM]) : ", from " + word(row[TO]));
                line.append(element("td", at, "at"), element("td", "#" + rung.packet, "packet"), cells);
                lines.append(line);
            }
            made.append(headings, lines);
            const scroll = element("div", undefined, "wide");
            scroll.append(made);
            const parts = [element("h4", `Segments of the connection (${word(file)}; seconds before and after the RST)`), scroll];
            if (leftOut > 0) parts.push(element("p", `${plural(leftOut, "more segment")} before the RST ${leftOut === 1 ? "is" : "are"} not shown: the first and the last that matter are.`, "dim"));
            return parts;
        }

        // Links to one RST, from the answers or from elsewhere

        function follow() {
            const id = /^#r(\d+)$/.exec(location.hash)?.[1], place = places.get(Number(id));
            if (place === undefined) return;
            if (!found.includes(place)) {
                clear();
                filter();
            }
            const at = found.indexOf(place);
            if (at >= limit) {
                limit = at + step;
                show();
            }
            const line = byID("r" + id), button = line.querySelector("button");
            if (button.getAttribute("aria-expanded") !== "true") button.click();
            line.scrollIntoView({block: "center"});
            button.focus();
        }

        byID("text").addEventListener("input", filter);
        for (const select of form.querySelectorAll("select")) select.addEventListener("change", filter);
        byID("clear").addEventListener("click", () => {
            clear();
            filter();
            byID("text").focus();
        });
        form.addEventListener("submit", event => event.preventDefault());
        for (const button of document.querySelectorAll(".only")) {
            button.hidden = false;
            button.addEventListener("click", () => {
                clear();
                byID("answer").value = button.dataset.answer;
                filter();
                byID("resets-title").scrollIntoView();
                byID("answer").focus({preventScroll: true});
            });
        }
        window.addEventListener("hashchange", follow);
        form.hidden = table.hidden = false;
        filter();
        follow();
        })();
        """#
}
