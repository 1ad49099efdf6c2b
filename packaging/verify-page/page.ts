import { type Answer, answerFor, type Taken, takeFile } from "./answer.ts";
import { type Parsed, parseFragment, parseTrust } from "./keys.ts";

/** Width of the names that the verdict's lines begin with. */
const LABEL_CHARACTERS = 10;
const SIGNS: Readonly<Record<Answer["tone"], string>> = {
  fault: "✗",
  unknown: "?",
  asserted: "✓",
  witnessed: "✓✓",
  guilty: "!",
};

function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} "${id}"`);
}

const fields = {
  file: element("file", HTMLInputElement),
  keys: element("keys", HTMLTextAreaElement),
  network: element("network", HTMLInputElement),
};
const keysFault = element("keys-fault", HTMLElement);
const linkFault = element("link-fault", HTMLElement);
const dropFault = element("drop-fault", HTMLElement);
const result = element("result", HTMLElement);

let current: Taken | undefined;
let fileName = "";
/** Counts the files taken, so that a slow one cannot answer for the one after it. */
let taken = 0;
/** Every key that a link has filled in; what follows in the same window cannot make it the reader's own. */
const keysOfLinks = new Set<string>();

async function take(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  taken += 1;
  const own = taken;
  fileName = file.name;
  current = undefined;
  show();
  await new Promise((painted) => setTimeout(painted, 0));
  const found = await takeFile(file);
  if (own !== taken) return;
  current = found;
  show();
}

/** Puts on the page what the fields and the file say now; an answer never outlives the keys it was given under. */
function show(): void {
  const trust = parseTrust(fields.keys.value, fields.network.value);
  showKeysFault(trust);
  if (fileName === "") return;
  result.hidden = false;
  if (current === undefined) present("waiting", [heading(`Checking ${fileName} …`)]);
  else if ("fault" in trust)
    present("fault", [heading("No verdict yet: the trusted keys cannot be read"), paragraph(trust.fault)]);
  else showAnswer(answerFor(current, trust.value));
}

function showKeysFault(trust: Parsed<unknown>): void {
  const fault = "fault" in trust ? trust.fault : "";
  keysFault.textContent = fault;
  fields.keys.setAttribute("aria-invalid", String(fault !== ""));
}

function showAnswer(answer: Answer): void {
  const title = heading(answer.title);
  const sign = tagged("span", `${SIGNS[answer.tone]} `);
  sign.setAttribute("aria-hidden", "true");
  title.prepend(sign);
  const name = paragraph(fileName);
  name.className = "file-name";
  present(answer.tone, [title, name, ...advice(answer), ...body(answer)]);
}

/** What a reader should know before he believes the colour. */
function advice(answer: Answer): HTMLElement[] {
  const sentences: string[] = [];
  if (answer.tone === "unknown")
    sentences.push(
      "Name the device's key above to check whose it is. Ask its owner for it, not the file's sender.",
    );
  if (answer.accuses === true)
    sentences.push(
      "This file accuses: it holds signatures that contradict each other. Below stands whose they are, and what the file does not show.",
    );
  if (answer.tone !== "fault" && linesOf(fields.keys.value).some((line) => keysOfLinks.has(line)))
    sentences.push(
      "The trusted keys came with the link that opened this page. They are worth what its sender is worth: if the same person sent you the proof, ask elsewhere.",
    );
  return sentences.map((sentence) => {
    const shown = paragraph(sentence);
    shown.className = "advice";
    return shown;
  });
}

/** The verdict's words below its first line: names with their values, and after an empty line what is not proven. */
function body(answer: Answer): HTMLElement[] {
  if (answer.tone === "fault") return answer.lines.map(paragraph);
  const lines = answer.lines.slice(1);
  const end = lines.indexOf("");
  const [title = "", ...items] = lines.slice(end + 1);
  const names = document.createElement("dl");
  names.append(...lines.slice(0, end).flatMap(named));
  const list = document.createElement("ul");
  list.append(...items.map((item) => tagged("li", item.replace(/^ *- /, ""))));
  return [names, tagged("h3", title), list];
}

/** A name and what it names; a line without a name goes on with the one before it. */
function named(line: string): HTMLElement[] {
  const name = line.slice(0, LABEL_CHARACTERS).trim();
  const text = tagged("dd", line.slice(LABEL_CHARACTERS));
  if (name === "import" || name === "export") text.className = "energy";
  if (/\S {2,}\S/.test(text.textContent ?? "")) text.className = "row";
  return name === "" ? [text] : [tagged("dt", name), text];
}

function present(tone: Answer["tone"] | "waiting", content: readonly HTMLElement[]): void {
  result.dataset["tone"] = tone;
  result.replaceChildren(...content);
}

/** Always as text: what a file says is never markup. */
function tagged(tag: string, text: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function heading(text: string): HTMLElement {
  return tagged("h2", text);
}

function paragraph(text: string): HTMLElement {
  return tagged("p", text);
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim().toLowerCase());
}

function readLink(): void {
  const link = parseFragment(location.hash);
  linkFault.textContent = "fault" in link ? link.fault : "";
  if ("fault" in link) return;
  const { lines, network } = link.value;
  if (network !== "") fields.network.value = network;
  if (lines === "") return;
  fields.keys.value = lines;
  for (const line of linesOf(lines)) keysOfLinks.add(line);
}

function acceptDrops(): void {
  const mark = (over: boolean) => document.body.classList.toggle("over", over);
  addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser would open the file in place of this page
    mark(true);
  });
  addEventListener("dragleave", () => mark(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    drop(event.dataTransfer?.files);
  });
}

/** Shows a dropped file in the file field, too; of several files none is taken, for which one was meant? */
function drop(files: FileList | undefined): void {
  if (files === undefined || files.length === 0) return;
  if (files.length === 1) fields.file.files = files;
  dropFault.textContent =
    files.length === 1 ? "" : `One proof at a time, please: ${files.length} files were dropped.`;
  if (files.length === 1) void take(files[0]);
}

fields.file.addEventListener("change", () => void take(fields.file.files?.[0]));
fields.keys.addEventListener("input", show);
fields.network.addEventListener("input", show);
addEventListener("hashchange", () => {
  readLink();
  show();
});
acceptDrops();
readLink();
show();
