// Sends clicks and shows their verdicts as they come: by server-sent events, or by asking where there is no stream left.
"use strict";

const SHOWN = 10; // rows of the list
const ASK_EVERY_MS = 1500;
const STREAM_AGAIN_MS = 15000;
const WORDS = { pending: "Judging", clean: "Clean", flagged: "Flagged" };

const bar = document.getElementById("bar");
const line = document.getElementById("status");
const list = document.getElementById("clicks");
const row = document.getElementById("row");
const forms = new Map([...document.querySelectorAll("form")].map((form) => [form.elements.ad.value, form]));
const clicks = new Map(); // click_id → what is known of it, oldest first
let stream = null;
let asking = null;

const brand = (ad) => forms.get(ad)?.dataset.brand ?? ad;
const amount = (n) => `${n} ${n === 1 ? "click" : "clicks"}`;
// The rule of a verdict is named like 3-in-10s; its count is exact up to 16.
const inWindow = (click, where = "") =>
  `${amount(click.clicks_in_window)}${click.clicks_in_window > 15 ? " or more" : ""}${where} in ${click.rule_id.split("-in-")[1].replace(/(?<=\d)(?=[a-z])/, " ")}`;

function tell(verdict, strong, rest) {
  bar.dataset.verdict = verdict;
  const [head, tail] = [document.createElement("strong"), document.createElement("span")];
  head.textContent = strong;
  tail.textContent = rest;
  line.replaceChildren(head, " ", tail);
}

function tellOf(click) {
  const where = brand(click.ad);
  if (click.verdict === "pending") tell("pending", "Judging …", `Your click on ${where} is with the detector.`);
  if (click.verdict === "clean") tell("clean", "Clean.", `Your click on ${where} looks like a person's.`);
  if (click.verdict === "flagged")
    tell("flagged", "Flagged as fraud.", `${inWindow(click, ` on ${where}`)}: nobody pays for this one.`);
}

function draw() {
  const newest = [...clicks.values()].slice(-SHOWN).reverse();
  list.hidden = newest.length === 0;
  document.getElementById("empty").hidden = !list.hidden;
  list.replaceChildren(...newest.map((click) => {
    const item = row.content.firstElementChild.cloneNode(true);
    const [time, pill] = [item.querySelector("time"), item.querySelector(".pill")];
    time.dateTime = click.at;
    time.textContent = new Date(click.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
    item.querySelector(".where").textContent = brand(click.ad);
    item.querySelector(".why").textContent = click.verdict === "pending" ? "" : inWindow(click);
    item.querySelector(".word").textContent = WORDS[click.verdict];
    pill.dataset.verdict = click.verdict;
    return item;
  }));
}

function take(fresh) {
  if (fresh.length === 0) return;
  for (const click of fresh) clicks.set(click.click_id, click);
  const ordered = [...clicks.values()].sort((a, b) => a.at.localeCompare(b.at)).slice(-2 * SHOWN);
  clicks.clear();
  for (const click of ordered) clicks.set(click.click_id, click);
  draw();
  // The newest that is judged says more than one that still waits; a flag that comes late is news all the same.
  const changed = fresh.filter((click) => click.verdict !== "pending");
  const flagged = changed.findLast((click) => click.verdict === "flagged");
  tellOf(flagged ?? changed.at(-1) ?? ordered.at(-1));
}

function open() {
  if (stream || document.hidden) return;
  stream = new EventSource("/events");
  stream.onopen = () => stopAsking();
  stream.onmessage = (event) => take(JSON.parse(event.data));
  stream.onerror = () => {
    if (stream?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    stream = null;
    ask();
    setTimeout(open, STREAM_AGAIN_MS);
  };
}

function close() {
  stream?.close();
  stream = null;
  stopAsking();
}

function ask() {
  asking ??= setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("/verdicts");
      if (!answer.ok) return;
      take((await answer.json()).clicks.filter((click) => clicks.get(click.click_id)?.verdict !== click.verdict));
    } catch { /* the next time */ }
  }, ASK_EVERY_MS);
}

function stopAsking() {
  clearInterval(asking);
  asking = null;
}

async function send(form) {
  const card = form.closest(".ad");
  card.classList.remove("hit");
  void card.offsetWidth; // so that the animation begins anew
  card.classList.add("hit");
  let answer, body;
  try {
    answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    body = await answer.json();
  } catch {
    tell("error", "Not sent.", "The page cannot be reached.");
    return;
  }
  if (answer.ok) {
    form.querySelector(".count").textContent = `${amount(body.click_count)} of yours`;
    const ad = form.elements.ad.value;
    if (!clicks.has(body.click_id) && !stream) take([{ click_id: body.click_id, ad, at: new Date().toISOString(), verdict: "pending" }]);
    open();
  } else if (answer.status === 429) {
    tell("error", "Too fast even for this page.", `Wait ${answer.headers.get("Retry-After") ?? "a few"} s.`);
  } else {
    tell("error", "Not taken.", answer.status === 503 ? "The broker is away. Try again in a moment." : body.error ?? "");
  }
}

for (const form of forms.values())
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
// A page that nobody looks at holds no stream; what it missed comes first when it is looked at again.
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
open();
