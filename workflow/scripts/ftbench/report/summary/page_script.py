"""What the summary does in a browser, without a network: tables sort and filter. Without a script it reads the same."""

SCRIPT = """
for (const frame of document.querySelectorAll(".frame")) {
  const table = frame.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
  const value = (row, column) => {
    const cell = row.cells[column], number = cell.dataset.order;
    return number === undefined ? cell.textContent.trim().toLowerCase() : number === "" ? -Infinity : Number(number);
  };
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      rows.sort((a, b) => {
        const one = value(a, column), two = value(b, column);
        return sign * (typeof one === "string" || typeof two === "string" ? String(one).localeCompare(String(two)) : one - two || 0);
      });
      body.append(...rows);
    });
  });
  if (rows.length > 5) {
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "Show rows with …";
    search.setAttribute("aria-label", "Show rows with these words");
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\\s+/);
      for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    });
    frame.before(search);
  }
}
// A printed page shows what is folded, too.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
// In the report's archive the page lies apart from the files that it names: there the names stay, the links would lead nowhere.
if (location.pathname.includes("/data/raw/")) {
  for (const link of document.querySelectorAll("a[data-file]")) link.removeAttribute("href");
}
document.body.classList.toggle("framed", window !== window.top);
document.body.dataset.ready = "true";
"""
