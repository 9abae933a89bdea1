// Draw the history of a workload: every chart has the same time axis, and one cursor moves in all of them.
"use strict";

// ``bands``: the numbers of two series, upper and lower, between which the area is shaded.
const CHARTS = {
  share: { series: ["asked", "seen"], range: [0, 100] },
  agreement: { series: ["agreement", "noise"], top: 1, bands: [[2, 1]] },
  latency: { sides: ["p50", "p99"], bands: [[2, 1], [4, 3]] },
  ttft: { sides: ["ttft50", "ttft95"], bands: [[2, 1], [4, 3]] },
  errors: { sides: ["errors"] },
  kinds: { byKind: true },
  rate: { sides: ["rate"] },
  tokens: { sides: ["tokens"] },
  defects: { sides: ["defects"] },
  preference: { series: ["preference"], range: [0, 1] },
};
const NAMES = {
  asked: "asked", seen: "seen", agreement: "agreement", noise: "noise floor", preference: "preference",
  p50: "p50", p99: "p99", ttft50: "p50", ttft95: "p95", errors: "errors", rate: "requests/s", tokens: "tokens", defects: "defects",
};
const DASHES = [[], [6, 3], [2, 3], [10, 4, 2, 4], [1, 5]];
const DISTANCES = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 432000, 864000, 1728000];  // s, of the times on the axis
const TONES = { bad: "--bad", hold: "--asks", step: "--good", person: "--dim" };

const box = document.querySelector("[data-history]");
let plots = [];
let shown = null;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function namesOf(chart) {
  if (chart.series) return chart.series;
  return ["baseline", "candidate"].flatMap((side) => chart.sides.map((one) => `${side}_${one}`));
}

function rangeOf(chart, min, max) {
  if (chart.range) return chart.range;
  if (chart.top) return [Math.max(0, min - 0.1), chart.top];
  return [0, max > 0 ? max * 1.08 : 1];
}

// Times of the axis: hours within two days (with seconds if the marks are closer than a minute), else days.
function timesOf(plot, splits) {
  const days = plot.scales.x.max - plot.scales.x.min > 2 * 86400;
  const two = (number) => String(number).padStart(2, "0");
  const seconds = splits.length > 1 && splits[1] - splits[0] < 60;
  return splits.map((at) => {
    const date = new Date(at * 1000);
    if (days) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    const minute = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return seconds ? `${minute}:${two(date.getSeconds())}` : minute;
  });
}

// A number of the legend: that under the cursor, or nothing.
const shownValue = (_, value) => (value === null || value === undefined ? "" : value.toLocaleString(undefined, { maximumSignificantDigits: 4 }));

// Lines of one side have its color, and each kind of error a dash of its own.
function kindSeriesOf(name, index) {
  const stroke = color(name.startsWith("baseline") ? "--base" : "--cand");
  return { label: name.replaceAll("_", " "), value: shownValue, stroke, width: 1.5, points: { size: 4 }, spanGaps: false, dash: DASHES[index % DASHES.length] };
}

function seriesOf(name) {
  const [side, ...rest] = name.split("_");
  const isSide = rest.length > 0;
  const first = name === "asked" || name === "noise" || side === "baseline";
  const label = isSide ? `${side} ${NAMES[rest.join("_")]}` : NAMES[name];
  const series = { label, value: shownValue, stroke: color(first ? "--base" : "--cand"), width: 1.5, points: { size: 4 }, spanGaps: false };
  if (first) series.dash = [6, 3];  // the two lines differ in form, not only in color
  if (name === "asked") series.paths = uPlot.paths.stepped({ align: 1 });
  return series;
}

// Vertical lines at decisions, with a dash of their own for each kind.
function drawMarks(plot) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const mark of shown.marks) {
    const x = plot.valToPos(mark.t, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = color(TONES[mark.tone] || "--dim");
    ctx.setLineDash(mark.tone === "bad" ? [] : mark.tone === "hold" ? [8, 4] : [2, 4]);
    ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
  }
  ctx.restore();
}

// Steps as shaded areas behind the lines: the darker, the greater the candidate's share.
function drawSteps(plot) {
  const { ctx, bbox } = plot;
  const { t, asked } = shown.series;
  ctx.save();
  ctx.fillStyle = color("--cand");
  for (let begin = 0; begin < t.length; ) {
    let end = begin;
    while (end + 1 < t.length && asked[end + 1] === asked[begin]) end += 1;
    const left = Math.max(plot.valToPos(t[begin], "x", true), bbox.left);
    const right = Math.min(plot.valToPos(t[Math.min(end + 1, t.length - 1)], "x", true), bbox.left + bbox.width);
    ctx.globalAlpha = 0.1 * (asked[begin] || 0) / 100;
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    begin = end + 1;
  }
  ctx.restore();
}

function sayMark(plot) {
  const at = plot.cursor.left < 0 ? null : plot.posToVal(plot.cursor.left, "x");
  if (at === null) return;
  const near = (plot.scales.x.max - plot.scales.x.min) / 60;
  const mark = shown.marks.filter((one) => Math.abs(one.t - at) < near).pop();
  const line = document.getElementById("mark");
  if (mark && line) line.textContent = mark.text;
}

function draw() {
  for (const plot of plots) plot.destroy();
  plots = [];
  for (const figure of box.querySelectorAll("[data-chart]")) {
    const chart = CHARTS[figure.dataset.chart];
    const values = chart.byKind ? shown.kinds : shown.series;
    const names = chart.byKind ? Object.keys(values) : namesOf(chart).filter((name) => values[name]);
    const data = [shown.series.t, ...names.map((name) => values[name])];
    const empty = !data.slice(1).some((values) => values.some((value) => value !== null));
    let note = figure.querySelector("p");
    if (empty) {
      if (!note) { note = document.createElement("p"); note.className = "dim"; figure.append(note); }
      note.textContent = chart.byKind ? "No request has failed in this time." : "No data in this time.";
      continue;
    }
    if (note) note.remove();
    const axis = { stroke: color("--dim"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
    plots.push(new uPlot({
      width: Math.max(figure.clientWidth - 20, 200),
      height: 170,
      cursor: { sync: { key: "workload" }, y: false },
      scales: { x: { range: (_, min, max) => [Math.min(shown.from_s, min), Math.max(Date.now() / 1000, max)] }, y: { range: (_, min, max) => rangeOf(chart, min, max) } },
      axes: [{ ...axis, values: timesOf, size: 34, space: 65, incrs: DISTANCES }, { ...axis, size: 56 }],
      series: [{ value: (_, v) => (v === null ? "" : new Date(v * 1000).toLocaleString()) }, ...names.map(chart.byKind ? kindSeriesOf : seriesOf)],
      bands: (chart.bands || []).map((series, index) => ({ series, fill: color(index ? "--cand" : "--base") + (index ? "33" : "22") })),
      hooks: { drawClear: [drawSteps], draw: [drawMarks], setCursor: [sayMark] },
    }, data, figure));
  }
}

async function load() {
  const answer = await fetch(box.dataset.history, { credentials: "same-origin" });
  if (!answer.ok) return;
  shown = await answer.json();
  draw();
}

if (box) {
  load();
  let timer = 0;
  window.addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(() => shown && draw(), 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && draw());
  setInterval(() => { if (document.visibilityState === "visible") load(); }, Math.max(Number(box.dataset.period), 10) * 1000);
}
