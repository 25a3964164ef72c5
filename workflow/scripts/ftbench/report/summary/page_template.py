"""The summary's page as a Jinja2 template; `ftbench.report.summary.page` fills it in."""

TEMPLATE = """\
{% macro file(path, text=none) %}<a data-file href="{{ path }}">{{ text or path }}</a>{% endmacro %}
{% macro source(path) %}<span class="source">[{{ file(path) }}]</span>{% endmacro %}
{% macro said(sentences) %}<ul class="said">{% for one in sentences %}
<li>{{ one.text }} {{ source(one.source) }}</li>{% endfor %}
</ul>{% endmacro %}
{% macro grid(table) %}<div class="frame"><table>
<thead><tr>{% for heading, number in table.headings %}<th{% if number %} class="number"{% endif %}>{{ heading }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in table.rows %}
<tr{% if loop.index0 in table.marked %} class="marked"{% endif %}>{% for text, order in row %}
{%- if table.headings[loop.index0][1] %}<td class="number{{ ' long' if text|length > 40 }}" data-order="{{ '' if order is none else order }}">
{%- else %}<td{% if text|length > 24 %} class="long"{% endif %}>{% endif %}{{ text }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>
<p class="soft">All of it: {{ file(table.source) }}</p>
{% if table.notes %}<ul class="notes">{% for note in table.notes %}<li>{{ note }}</li>{% endfor %}</ul>{% endif %}{% endmacro %}
{% macro drawn(bar) %}<div class="bar {{ {'recommended': 'recommended', 'not told apart': 'same'}.get(bar.verdict, '') }}">
<span class="name">{{ bar.name }} <span class="tag">{{ bar.verdict }}</span></span>
<span class="track"><i style="left:{{ bar.low }}%;width:{{ bar.width }}%"></i><b style="left:{{ bar.mean }}%"></b></span>
<span class="text">{{ bar.text }}</span></div>
{% endmacro %}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{ study }}: the answer</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>Study {{ study }}: which backbone, fine-tuned by which strategy, for these images?</h1>
{% if parts|length > 1 %}<nav><ul>{% for part in parts %}
<li><a href="#{{ part.anchor }}">{{ part.facts.dataset }}</a>: {{ part.headline }}{% if part.facts.best %}, {{ part.accuracy }} % right{% endif %}</li>{% endfor %}
</ul></nav>{% endif %}
{% for part in parts %}{% set facts = part.facts %}
<section id="{{ part.anchor }}">
{% if parts|length > 1 %}<h1>Data set {{ facts.dataset }}</h1>{% endif %}
<div class="answer{{ '' if facts.best else ' none' }}">
<h2>{{ part.headline }}</h2>
{% for one in part.answer %}<p>{{ one.text }} {{ source(one.source) }}</p>
{% endfor %}</div>

{% if part.bars.shown %}<h3>What it is compared with</h3>
<p class="soft">Right answers on the sealed test images of {{ facts.dataset }}, in %: mean over seeds (dot) and 95 % interval (bar), the highest first.
{{ source("tables/comparison.csv") }}</p>
<div class="bars">{% for bar in part.bars.shown %}{{ drawn(bar) }}{% endfor %}
{% if part.bars.folded %}<details><summary>{{ part.bars.folded|length }} more cells</summary>{% for bar in part.bars.folded %}{{ drawn(bar) }}{% endfor %}</details>{% endif %}
<div class="axis"><span></span><span class="track">{% for text, place in part.bars.marks %}<span style="left:{{ place }}%">{{ text }}</span>{% endfor %}</span><span></span></div>
</div>
{% if part.bars.lost %}<p class="soft">Without an accuracy, since every run diverged: {{ part.bars.lost|join(", ") }}.</p>{% endif %}
<details><summary>Accuracy against its cost, and every seed</summary>
<div class="drawing plain"><img alt="Accuracy against the cost of getting there" src="{{ facts.pareto_figure }}"></div>
<p>{{ source("plots/" ~ facts.dataset ~ ".pareto.svg") }}</p>
<div class="drawing plain"><img alt="Accuracy of every cell and seed" src="{{ facts.accuracy_figure }}"></div>
<p>{{ source("plots/" ~ facts.dataset ~ ".accuracy.svg") }}</p></details>
{% endif %}
{% if part.sizes %}<h3>With fewer images</h3>
{{ said(part.sizes.sentences) }}
<div class="drawing plain"><img alt="Accuracy against images per class" src="{{ part.sizes.figure }}"></div>
<p>{{ source(part.sizes.figure_path) }}</p>
<details><summary>Every cell at every size</summary>
{{ grid(part.sizes.table) }}</details>
{% endif %}
<h3>All cells</h3>
{{ grid(part.comparison) }}
<details><summary>What each strategy does</summary>
<dl>{% for name, text in part.glossary %}<dt>{{ name }}</dt><dd>{{ text }}</dd>{% endfor %}</dl></details>

<h3>Where it fails</h3>
{% if facts.best %}<p class="soft">All of this is about {{ facts.best.name }}.</p>
<h4>Its weakest classes</h4>
{{ grid(part.worst_classes) }}
<h4>What it takes for something else</h4>
{% if part.confused.rows %}{{ grid(part.confused) }}{% else %}<p>No test image is taken for another class. {{ source(part.confused.source) }}</p>{% endif %}
{% if part.slices %}<h4>In slices of the test images</h4>
{{ said(part.slices) }}
<div class="drawing plain"><img alt="Accuracy in every slice" src="{{ facts.slices_figure }}"></div>
<p>{{ source("plots/" ~ facts.dataset ~ ".slices.svg") }}</p>
{% endif %}<h4>Its most confident mistakes</h4>
<p>{{ part.mistakes.text }} {{ source(part.mistakes.source) }}</p>
{% if facts.mistakes.shown %}<p class="soft">Each image was taken for the class in bold. The label under it may be the one that is wrong.</p>
<div class="pictures">{% for one in facts.mistakes.shown %}
<figure><img alt="" src="{{ one.picture }}"><figcaption><b>{{ one.predicted }}</b> ({{ "%.1f"|format(100 * one.confidence) }} %{% if facts.mistakes.seeds|length > 1 %}, {{ one.seeds }} of {{ facts.mistakes.seeds|length }} seeds{% endif %})<br>
label: {{ one.label }}<br><span class="soft">{{ one.file }}</span></figcaption></figure>{% endfor %}
</div>{% endif %}{% endif %}
<h4>Faults in the data</h4>
{{ said(part.faults) }}

<h3>What to pick under each budget</h3>
{{ grid(part.budgets) }}

<h3>What would change the answer</h3>
{{ said(([part.sizes.more] if part.sizes else []) + part.changes) }}
</section>
{% endfor %}
<h3>How it was found</h3>
<dl>{% for name, value, path in records %}
<dt>{{ name }}</dt><dd>{{ value }} {{ source(path) }}</dd>{% endfor %}
</dl>
</main>
<script type="module">{{ script }}</script>
</body>
</html>
"""
