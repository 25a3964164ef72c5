"""The page: drop images, see answers. No library, nothing from elsewhere; text from files is set as text, never as markup."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ftbench serve</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222; }
  #drop { border: 2px dashed #888; border-radius: .5rem; padding: 2rem; text-align: center; cursor: pointer; display: block; }
  #drop.over, #drop:focus-within { border-color: #0072b2; background: #eef6fb; }
  article { display: flex; gap: 1rem; border-top: 1px solid #ddd; padding: 1rem 0; align-items: flex-start; flex-wrap: wrap; }
  article img { width: 10rem; max-height: 10rem; object-fit: contain; background: #f4f4f4; }
  .bar { display: grid; grid-template-columns: 12rem 12rem 5rem; gap: .5rem; align-items: center; }
  .bar span:nth-child(2) { background: #eee; height: .8rem; } .bar i { display: block; height: 100%; background: #0072b2; }
  figure { margin: 0; } figcaption { color: #666; max-width: 10rem; } .nearest { flex-basis: 100%; } .nearest img { width: 5rem; margin-right: .4rem; }
  .warn { color: #a33c00; font-weight: 600; } .name { color: #666; overflow-wrap: anywhere; }
  @media (max-width: 40rem) { .bar { grid-template-columns: 8rem 6rem 5rem; } }
</style>
</head>
<body>
<h1>Which class?</h1>
<p id="model"></p>
<label id="drop">Drop images here, or click to choose<input id="files" type="file" accept="image/*" multiple hidden></label>
<p id="status" role="status"></p>
<section id="results" aria-live="polite"></section>
<script>
const $ = (id) => document.getElementById(id);
const add = (parent, tag, text, cls) => {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  if (cls) made.className = cls;
  return made;
};
const percent = (p) => (100 * p).toFixed(1) + " %";
const described = fetch("/model").then((r) => r.json());
described.then((m) => {
  $("model").textContent = m.name + ": " + m.classes.length + " classes. At most " + m.megabytes + " MB per image.";
});
function show(result, file) {
  const article = document.createElement("article");
  const picture = add(article, "img");
  picture.alt = "";
  picture.src = URL.createObjectURL(file);
  picture.onload = () => URL.revokeObjectURL(picture.src);
  picture.onerror = () => picture.remove();
  const side = add(article, "div");
  add(side, "div", file.name, "name");
  if (result.error) {
    add(side, "div", result.error, "warn");
  } else {
    for (const entry of result.top) {
      const bar = add(side, "div", undefined, "bar");
      add(bar, "span", entry.class);
      add(add(bar, "span"), "i").style.width = percent(entry.probability).replace(" ", "");
      add(bar, "span", percent(entry.probability));
    }
    add(side, "div", "In " + percent(result.set_holds_the_truth_with) + " of cases it is one of: " + result.set.join(", "), "set");
    if (result.looked_at) {
      const seen = add(article, "figure");
      add(seen, "img").src = result.looked_at;
      seen.firstChild.alt = "The image as the network got it, with what raised the first class in colour";
      add(seen, "figcaption", "What raised " + result.top[0].class + " (Grad-CAM on " + result.places.join(" × ") + " places)");
    } else if (result.why_not_looked_at) add(side, "div", result.why_not_looked_at, "name");
    if (result.nearest) {
      const row = add(article, "div", undefined, "nearest");
      add(row, "div", "Nearest training images: " + result.nearest.map((one) => one.class).join(", "), "name");
      for (const one of result.nearest) if (one.image) {
        const near = add(row, "img");
        near.src = one.image;
        near.alt = near.title = one.class + ", distance " + one.distance.toFixed(2);
      }
    }
    if (result.unlike) add(side, "div", "This image is unlike the training images.", "warn");
  }
  $("results").prepend(article);
}
// As many files as one request may have, and as many bytes; a little is left for the form itself.
function portions(files, limits) {
  const parts = [];
  let size = Infinity;
  for (const file of files) {
    const last = parts[parts.length - 1];
    if (last && last.length < limits.files && size + file.size < 0.99e6 * limits.megabytes) { last.push(file); size += file.size; }
    else { parts.push([file]); size = file.size; }
  }
  return parts;
}
async function send(files) {
  const own = [...files], wrong = [], limits = await described;
  let done = 0;
  for (const part of portions(own, limits)) {
    $("status").textContent = "Sending " + own.length + " image(s), " + done + " answered ...";
    const form = new FormData();
    part.forEach((file) => form.append("files", file));
    try {
      const response = await fetch("/predict?explain=1", {method: "POST", body: form});
      const answer = await response.json();
      if (answer.error) { wrong.push(part.map((file) => file.name).join(", ") + ": " + answer.error); continue; }
      answer.results.forEach((result, k) => show(result, part[k]));
      done += part.length;
    } catch (error) {
      wrong.push("The server does not answer: " + error);
      break;
    }
  }
  if (own.length) $("status").textContent = [done + " image(s) answered.", ...wrong].join(" ");
}
$("files").onchange = (event) => { send(event.target.files); };
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") send(event.dataTransfer.files);
  });
}
</script>
</body>
</html>
"""
