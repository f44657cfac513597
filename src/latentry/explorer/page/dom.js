// Small helpers to build the page.

/** An element: `h("button.primary", {onclick, ariaLabel: "x"}, "text", child)`. Properties with a dash are attributes. */
export function h(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  return fill(element, properties, children);
}

/** The same of SVG, where everything is an attribute. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value == null) continue;
    if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** Say something at the bottom of the page, to readers of the screen too. */
export function say(line, { fault = false } = {}) {
  const box = document.getElementById("said");
  box.textContent = line;
  box.classList.toggle("fault", fault);
  box.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => box.classList.remove("shown"), fault ? 9000 : 3500);
}

/** Tell of an error: a refusal in its own words, anything else to the console too. */
export function complain(error) {
  if (error.constructor.name !== "Refused") console.error(error);
  say(error.message || "Something went wrong.", { fault: true });
}

/** Give the reader a file. */
export function download(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** An element while something runs: it cannot be pressed again, and says that it is busy. */
export async function whileBusy(element, work) {
  element.disabled = true;
  element.setAttribute("aria-busy", "true");
  try {
    return await work();
  } catch (error) {
    complain(error);
  } finally {
    element.disabled = false;
    element.removeAttribute("aria-busy");
  }
}

/** A number with its sign, as short as it is exact enough. */
export const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "") + String(Math.round(Math.abs(value) * 100) / 100);
