/// The page's style sheet.
enum HTMLStyle {
    /// SHA-256 in base64, which the page's Content-Security-Policy names; a test compares it.
    static let hash = "0h6GivaPHlRmp9jUIiFwkIsy1wuXel15i3X1vhHryoo="

    static let text = """
        :root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--soft:#f6f8fa;--link:#0757ba;\
        --proven:#116329;--proven-bg:#dafbe1;--inferred:#7a4b00;--inferred-bg:#fff3c4;--unknown:#7b2286;--unknown-bg:#f9e3fb;\
        --warn:#82071e;--warn-bg:#ffebe9;\
        --c0:#0757ba;--c1:#bc4c00;--c2:#1a7f37;--c3:#8250df;--c4:#bf3989;--c5:#9a6700;--c6:#0a7d8c;--c7:#6e7781}
        @media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--dim:#9198a1;--line:#30363d;--soft:#161b22;\
        --link:#6cb6ff;--proven:#7ee787;--proven-bg:#12361f;--inferred:#f2cc60;--inferred-bg:#3a2d07;--unknown:#e2a4ec;\
        --unknown-bg:#3b1a42;--warn:#ffa198;--warn-bg:#3d1214;\
        --c0:#6cb6ff;--c1:#ffa657;--c2:#56d364;--c3:#d2a8ff;--c4:#ff9bce;--c5:#e3b341;--c6:#56d4dd;--c7:#8b949e}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:75rem;padding:1rem 1.25rem 3rem;background:var(--bg);color:var(--fg);\
        font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
        h1{font-size:1.5rem;line-height:1.25;margin:.25rem 0 .5rem}
        h2{font-size:1.15rem;margin:2rem 0 .75rem}
        h3{font-size:1rem;margin:0}
        p{margin:.25rem 0}
        ul{margin:0;padding:0;list-style:none}
        a{color:var(--link)}
        .dim,.foot,.head,.axis{color:var(--dim)}
        .warnings{margin:1rem 0;padding:.6rem .9rem;border-left:4px solid var(--warn);background:var(--warn-bg);color:var(--warn)}
        .proven,.inferred,.unknown{padding:.05rem .45rem;border-radius:.75rem;font-weight:600;-webkit-box-decoration-break:clone;box-decoration-break:clone}
        .proven{color:var(--proven);background:var(--proven-bg)}
        .inferred{color:var(--inferred);background:var(--inferred-bg)}
        .unknown{color:var(--unknown);background:var(--unknown-bg)}
        .answer{display:grid;grid-template-columns:5rem 1fr;gap:0 1rem;padding:.8rem 0;border-top:1px solid var(--line)}
        .answer .count{font-size:1.5rem;line-height:1.1;font-weight:700;text-align:right;font-variant-numeric:tabular-nums;margin:0}
        .who{font-weight:600}
        .foot{font-size:.9rem}
        .spark{vertical-align:middle;fill:var(--c0);margin:0 .4rem}
        figure{margin:0}
        .chart{display:block;width:100%;height:10rem;border-bottom:1px solid var(--line);background:var(--soft)}
        .slice{fill:transparent}
        g:hover .slice{fill:var(--line)}
        .axis{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem;font-size:.85rem}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.9rem}
        .c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}\
        .c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}
        form{display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:end;padding:.75rem;background:var(--soft);\
        border:1px solid var(--line);border-radius:.4rem}
        form[hidden]{display:none}
        label{display:flex;flex-direction:column;font-size:.85rem;color:var(--dim);max-width:100%}
        input,select,button{font:inherit;font-size:.95rem;color:var(--fg);background:var(--bg);border:1px solid var(--line);\
        border-radius:.3rem;padding:.3rem .5rem;max-width:18rem}
        input{width:14rem}
        select{min-width:7rem}
        button{cursor:pointer}
        :focus-visible{outline:3px solid var(--link);outline-offset:1px}
        .only{font-size:.85rem;padding:.1rem .5rem}
        .wide{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:.92rem}
        th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
        thead th{color:var(--dim);font-weight:600}
        #resets>thead th{position:sticky;top:0;background:var(--bg);padding:.2rem 0;z-index:1}
        #resets>thead button{width:100%;text-align:left;border:0;font-weight:600;white-space:nowrap}
        th[aria-sort=ascending] button::after{content:" \\25B2";font-size:.7em}
        th[aria-sort=descending] button::after{content:" \\25BC";font-size:.7em}
        td{font-variant-numeric:tabular-nums;overflow-wrap:break-word}
        .row:hover{background:var(--soft)}
        .open{border:0;background:none;padding:.1rem .3rem;color:var(--link);white-space:nowrap}
        .open::before{content:"\\25B8";display:inline-block;width:1em}
        .open[aria-expanded=true]::before{content:"\\25BE"}
        .detail>td{overflow-wrap:anywhere;background:var(--soft);padding:.8rem 1rem 1rem}
        .detail h4{font-size:.9rem;margin:.9rem 0 .25rem;color:var(--dim)}
        .detail dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;margin:.5rem 0 0}
        .detail dt{color:var(--dim)}
        .detail dd{margin:0}
        .detail ul{list-style:disc;padding-left:1.2rem}
        .path,.ladder{font-family:ui-monospace,monospace;font-size:.85rem}
        .path{margin:0;white-space:pre-wrap}
        .ladder{width:auto;min-width:min(100%,44rem);background:var(--bg);border:1px solid var(--line)}
        .ladder th,.ladder td{padding:.2rem .6rem;border:0}
        .ladder .at,.ladder .packet{text-align:right;white-space:nowrap;color:var(--dim)}
        .ladder .line{width:60%;text-align:center;border-left:2px solid var(--line);border-right:2px solid var(--line);position:relative;\
        padding-bottom:.55rem}
        .ladder .line::after{content:"";position:absolute;left:.3rem;right:.3rem;bottom:.3rem;border-bottom:1px solid currentColor}
        .ladder .line::before{content:"\\25B6";position:absolute;right:.15rem;bottom:-.12rem;font-size:.6rem}
        .ladder .back .line::before{content:"\\25C0";right:auto;left:.15rem}
        .ladder .rst .line{color:var(--warn);font-weight:700}
        .ladder .trigger .line{color:var(--link)}
        .ends{display:flex;justify-content:space-between;gap:1rem}
        details{margin:2rem 0 1rem}
        summary{cursor:pointer}
        footer{border-top:1px solid var(--line);font-size:.85rem}
        @media (max-width:45rem){
        body{padding:.75rem .75rem 2rem}
        h1{font-size:1.25rem}
        .answer{grid-template-columns:1fr}
        .answer .count{text-align:left}
        label,input,select{width:100%;max-width:none}
        #resets>thead th{position:static}
        #resets>thead tr{display:flex;flex-wrap:wrap;gap:.3rem}
        #resets>thead th{border:1px solid var(--line);border-radius:.3rem;padding:0}
        #resets>tbody>tr,.icmp tr,.inputs tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}
        .icmp thead,.inputs thead{display:none}
        #resets>tbody>tr>td,.icmp td,.inputs td{display:flex;gap:.6rem;border:0;padding:.1rem .2rem}
        #resets>tbody>tr>td::before,.icmp td::before,.inputs td::before{content:attr(data-label);flex:0 0 5.5rem;color:var(--dim)}
        #resets>tbody>.detail>td{display:block;padding:.6rem}
        #resets>tbody>.detail>td::before{content:none}
        #resets>tbody>tr>td:empty{display:none}
        .detail dl{grid-template-columns:1fr}
        .detail dd{margin:0 0 .3rem}
        .ladder{font-size:.72rem;min-width:0;width:100%}
        .ladder th,.ladder td{padding:.2rem .25rem}
        .ladder .packet{display:none}
        .ladder .line{padding-bottom:.55rem}
        }
        @media print{
        :root{color-scheme:light;--bg:#fff;--fg:#000;--dim:#444;--line:#bbb;--soft:#fff;--link:#000;--proven:#000;--proven-bg:#fff;\
        --inferred:#000;--inferred-bg:#fff;--unknown:#000;--unknown-bg:#fff;--warn:#000;--warn-bg:#fff}
        body{max-width:none;padding:0;font-size:10pt}
        form,.only,#more{display:none}
        #resets>thead th{position:static}
        .answer,.row,figure{break-inside:avoid}
        .proven,.inferred,.unknown{border:1px solid #888}
        *{print-color-adjust:exact}
        }
        """
}
