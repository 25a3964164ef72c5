"""How the summary looks: dark and light, from a phone's width to a laptop's, and on A4."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2129; --soft: #5b6472; --line: #d9dee5; --paper: #fff; --card: #f5f7fa; --blue: #0060a8;
  --amber: #a04a00; --good: #006f51; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adba; --line: #39414d; --paper: #14171c; --card: #1d2229;
  --blue: #7cc0f5; --amber: #f2a65a; --good: #5ad1a8; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; margin: 0; color: var(--ink); background: var(--paper); }
main { max-width: 68rem; margin: 0 auto; padding: 1rem 1.2rem 3rem; }
body.framed main { padding-left: 2.4rem; } /* beside the button that opens the report's menu */
h1 { font-size: 1.05rem; font-weight: 600; color: var(--soft); margin: .3rem 0 .8rem; }
h2 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h3 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.1rem; }
h4 { font-size: .95rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
a { color: var(--blue); }
.answer { background: var(--card); border-left: 5px solid var(--good); border-radius: 6px; padding: 1rem 1.2rem .8rem; margin: 0 0 1rem; }
.answer.none { border-color: var(--amber); }
.answer p { margin: .55rem 0; }
.source { font-size: .75rem; white-space: nowrap; opacity: .85; }
.soft, .notes { color: var(--soft); font-size: .85rem; }
.notes { padding-left: 1.2em; margin: .5rem 0; }
ul.said { padding-left: 1.2em; margin: .3rem 0; }
ul.said li { margin: .35rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0; font-size: .92rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.bars { margin: .6rem 0; font-size: .9rem; }
.bar, .axis { display: grid; grid-template-columns: minmax(8rem, 17rem) 1fr 9.5rem; gap: .8rem; align-items: center; padding: .2rem .4rem; }
.bar .name { overflow-wrap: anywhere; line-height: 1.2; }
.bar .text { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar.recommended { background: var(--card); border-radius: 4px; font-weight: 600; }
.tag { display: inline-block; font-size: .72rem; font-weight: 400; color: var(--soft); }
.recommended .tag { color: var(--good); }
.track { position: relative; height: 1.1rem; }
.track i { position: absolute; top: .3rem; height: .5rem; border-radius: .25rem; background: var(--soft); opacity: .45; min-width: 2px; }
.track b { position: absolute; top: .1rem; width: .9rem; height: .9rem; margin-left: -.45rem; border-radius: 50%; background: var(--soft);
  border: 2px solid var(--paper); }
.recommended .track i, .recommended .track b { background: var(--good); opacity: 1; }
.recommended .track i { opacity: .5; }
.same .track i, .same .track b { background: var(--blue); }
.axis .track { height: 1.2rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .75rem; }
.axis .track span { position: absolute; transform: translateX(-50%); }
.frame { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { padding: .3rem .6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { vertical-align: bottom; color: var(--soft); font-weight: 600; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--blue); }
th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
td { white-space: nowrap; } td.long { white-space: normal; min-width: 11rem; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.marked td { font-weight: 600; background: var(--card); }
input[type=search] { font: inherit; font-size: .85rem; padding: .25rem .5rem; width: 16rem; max-width: 100%; margin: .2rem 0 .5rem;
  color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 4px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .8rem; }
figure { margin: 0; } figcaption { font-size: .78rem; line-height: 1.35; overflow-wrap: anywhere; } figcaption .soft { font-size: inherit; }
.pictures img { width: 100%; max-height: 8.5rem; object-fit: contain; object-position: left; image-rendering: pixelated; display: block; }
.drawing { overflow-x: auto; } .drawing img { min-width: 34rem; width: 100%; max-width: 52rem; background: #fff; border-radius: 4px; }
@media (prefers-color-scheme: dark) { .drawing.plain img { filter: invert(.91) hue-rotate(180deg); } }
details > summary { cursor: pointer; color: var(--blue); margin: .4rem 0; }
nav ul { padding-left: 1.2em; }
@media (max-width: 640px) {
  body { font-size: 15px; } main { padding: .6rem .8rem 2rem; } h2 { font-size: 1.25rem; } .answer { padding: .8rem .9rem .5rem; }
  .bar { grid-template-columns: 1fr max-content; gap: 0 .6rem; } .bar .track { grid-column: 1 / -1; grid-row: 2; }
  .axis { grid-template-columns: 1fr; } .axis > :not(.track) { display: none; }
  .pictures { grid-template-columns: repeat(3, 1fr); gap: .6rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --card: #f2f2f2; --blue: #004a80; --amber: #803b00; --good: #00563f; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  input[type=search] { display: none; } a { text-decoration: none; }
  .frame, .drawing { overflow: visible; } table { font-size: 6.8pt; } th, td { padding: 2px 3px; overflow-wrap: anywhere; } td { white-space: normal; } td.long { min-width: 0; }
  .drawing img { min-width: 0; } .drawing.plain img { filter: none; }
  h2, h3, h4 { break-after: avoid; } .answer, .bar, figure, tr, dl { break-inside: avoid; }
  .bar, .axis { grid-template-columns: 13rem 1fr 9rem; }
  .pictures { grid-template-columns: repeat(6, 1fr); }
}
"""
