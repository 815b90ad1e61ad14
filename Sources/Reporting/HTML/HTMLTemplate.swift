/// The page, but for the table's data.
enum HTMLTemplate {
    static let page = """
        {{% CONTENT_TYPE:HTML-SCALARS}}<!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{{{styleHash}}}'; script-src 'sha256-{{{scriptHash}}}'; base-uri 'none'; form-action 'none'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta name="referrer" content="no-referrer">
        <title>{{title}}</title>
        <style>{{{style}}}</style>
        </head>
        <body>
        <header>
        <h1>{{title}}</h1>
        <ul class="head">
        {{#headline}}
        <li>{{.}}</li>
        {{/headline}}
        </ul>
        {{#hasWarnings}}
        <ul class="warnings" aria-label="Warnings">
        {{#warnings}}
        <li>{{.}}</li>
        {{/warnings}}
        </ul>
        {{/hasWarnings}}
        </header>
        <main>
        {{#hasGroups}}
        <section aria-labelledby="groups-title">
        <h2 id="groups-title">Groups</h2>
        <div class="wide"><table class="inputs">
        <thead><tr>{{#groupColumns}}<th scope="col">{{.}}</th>{{/groupColumns}}</tr></thead>
        <tbody>
        {{#groups}}
        <tr>{{#cells}}<td data-label="{{column}}">{{cell}}</td>{{/cells}}</tr>
        {{/groups}}
        </tbody>
        </table></div>
        {{#moreGroups}}
        <p class="more">{{.}}</p>
        {{/moreGroups}}
        </section>
        {{/hasGroups}}
        {{#hasAnswers}}
        <section aria-labelledby="answers-title">
        <h2 id="answers-title">Answers</h2>
        {{#answers}}
        <article class="answer">
        <p class="count">{{count}}</p>
        <div>
        <h3><span class="{{certainty}}">{{verdict}}</span></h3>
        <p class="who">{{who}}</p>
        {{#texts}}
        <p>{{.}}</p>
        {{/texts}}
        {{#advice}}
        <p><strong>Do:</strong> {{.}}</p>
        {{/advice}}
        <p class="foot">{{#times}}<span>{{.}}</span> {{/times}}{{#hasBars}}<svg class="spark" viewBox="0 0 {{barsWidth}} 20" width="{{barsWidth}}" height="20" role="img" aria-label="when they came">{{#bars}}<rect x="{{x}}" y="{{y}}" width="8" height="{{height}}"/>{{/bars}}</svg> {{/hasBars}}<a href="#r{{example}}">#{{example}}</a>{{#isTabled}} <button type="button" class="only" data-answer="{{number}}" hidden>show only {{these}}</button>{{/isTabled}}</p>
        </div>
        </article>
        {{/answers}}
        {{#more}}
        <p class="more">{{.}}</p>
        {{/more}}
        </section>
        {{/hasAnswers}}
        {{#hasChart}}
        <section aria-labelledby="chart-title">
        <h2 id="chart-title">Resets over time</h2>
        <figure>
        <svg class="chart" viewBox="0 0 {{chartWidth}} {{chartHeight}}" preserveAspectRatio="none" role="img" aria-label="{{chartLabel}}">
        {{#slices}}
        <g><title>{{title}}</title><rect class="slice" x="{{x}}" y="0" width="{{width}}" height="{{chartHeight}}"/>{{#parts}}<rect class="c{{color}}" x="{{x}}" y="{{y}}" width="{{width}}" height="{{height}}"/>{{/parts}}</g>
        {{/slices}}
        </svg>
        <p class="axis"><span>{{chartFirst}}</span><span>{{chartMost}}</span><span>{{chartLast}}</span></p>
        <figcaption><ul class="legend">
        {{#legend}}
        <li><svg width="12" height="12" aria-hidden="true"><rect class="c{{color}}" width="12" height="12"/></svg> {{name}} <span class="dim">{{count}}</span></li>
        {{/legend}}
        </ul></figcaption>
        </figure>
        </section>
        {{/hasChart}}
        {{#hasRefusals}}
        <section aria-labelledby="icmp-title">
        <h2 id="icmp-title">{{refusalTitle}}</h2>
        <div class="wide"><table class="icmp">
        <thead><tr><th scope="col">Time</th><th scope="col">From</th><th scope="col">To</th><th scope="col">Verdict</th><th scope="col">What happened</th></tr></thead>
        <tbody>
        {{#refusals}}
        <tr><td data-label="Time">{{time}}</td><td data-label="From">{{from}}</td><td data-label="To">{{to}}</td><td data-label="Verdict"><span class="{{certainty}}">icmp-refused, {{certainty}}</span></td><td data-label="What happened">{{sentence}}</td></tr>
        {{/refusals}}
        </tbody>
        </table></div>
        {{#moreRefusals}}
        <p class="more">{{.}}</p>
        {{/moreRefusals}}
        </section>
        {{/hasRefusals}}
        {{#hasResets}}
        <section aria-labelledby="resets-title">
        <h2 id="resets-title">Resets</h2>
        {{#tooMany}}
        <p>{{.}}</p>
        {{/tooMany}}
        {{#hasTable}}
        <noscript><p>The list of resets needs JavaScript; the answers above are complete without it.</p></noscript>
        <form id="filter" hidden>
        <label>Find <input id="text" type="search" placeholder="host, port, process" autocomplete="off" spellcheck="false"></label>
        <label>Cause <select id="cause"><option value="">all</option></select></label>
        <label>Certainty <select id="certainty"><option value="">all</option></select></label>
        <label>Process <select id="process"><option value="">all</option></select></label>
        <label>Answer <select id="answer"><option value="">all</option></select></label>
        <button type="button" id="clear">Clear</button>
        </form>
        <p id="shown" class="dim" role="status"></p>
        <table id="resets" hidden>
        <thead><tr>
        <th scope="col"><button type="button" data-sort="id">#</button></th>
        <th scope="col" aria-sort="ascending"><button type="button" data-sort="time">{{timeTitle}}</button></th>
        <th scope="col"><button type="button" data-sort="from">From</button></th>
        <th scope="col"><button type="button" data-sort="to">To</button></th>
        <th scope="col"><button type="button" data-sort="cause">Verdict</button></th>
        <th scope="col"><button type="button" data-sort="process">Process</button></th>
        </tr></thead>
        <tbody></tbody>
        </table>
        <p><button type="button" id="more" hidden></button></p>
        {{/hasTable}}
        </section>
        {{/hasResets}}
        <details>
        <summary>Inputs</summary>
        <div class="wide"><table class="inputs">
        <thead><tr><th scope="col">File</th><th scope="col">Kind</th><th scope="col">Contains</th><th scope="col">Recorded on</th></tr></thead>
        <tbody>
        {{#inputs}}
        <tr><td data-label="File">{{file}}</td><td data-label="Kind">{{kind}}</td><td data-label="Contains">{{size}}</td><td data-label="Recorded on">{{host}}</td></tr>
        {{/inputs}}
        </tbody>
        </table></div>
        </details>
        </main>
        <footer><p class="dim">{{tool}}. Proven: a kernel event of the sending host shows it. Inferred: the evidence suggests it but does not rule out everything else.</p></footer>

        """

    /// After the table's data.
    static let end = """
        <script>{{{script}}}</script>
        </body>
        </html>

        """
}
