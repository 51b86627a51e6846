"use strict";
// The plot of an animal's weight and water. Everything it shows comes from the page (`#water-data`); the table below says the same.
if (document.getElementById("water-data")) {
  const data = JSON.parse(document.getElementById("water-data").textContent);
  const box = document.getElementById("water-plot");
  const told = document.getElementById("water-told");
  const DAY = 86400, TALL = 260, LOW = 170, AXIS = 58;
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const inUtc = seconds => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"); // wall clocks of the lab, written as if UTC
  const dayAt = seconds => Math.max(0, Math.min(data.days.length - 1, Math.floor((seconds - data.from) / DAY)));
  let plots = [];

  // What is known of the day under the cursor, exact, with who entered it.
  let shown = -1;
  function tell(index) {
    if (index === shown) return;
    shown = index;
    const day = data.days[index];
    const list = document.createElement("dl");
    for (const [name, value] of day.told) {
      const pair = document.createElement("div");
      const term = document.createElement("dt"), said = document.createElement("dd");
      term.textContent = name;
      said.textContent = value;
      pair.append(term, said);
      list.append(pair);
    }
    const title = document.createElement("strong");
    title.textContent = day.title;
    told.replaceChildren(title, list);
  }

  // Restriction periods lie behind everything.
  function shade(u) {
    const { left, top, width, height } = u.bbox;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    u.ctx.fillStyle = colour("--accent");
    u.ctx.globalAlpha = 0.08;
    for (const [from, to] of data.restricted) {
      const start = u.valToPos(from, "x", true), end = u.valToPos(to, "x", true);
      u.ctx.fillRect(start, top, end - start, height);
    }
    u.ctx.restore();
  }

  // What each day asked for: a bar across the day.
  function due(u) {
    const { left, top, width, height } = u.bbox;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(left, top, width, height);
    u.ctx.clip();
    u.ctx.strokeStyle = colour("--ink");
    u.ctx.lineWidth = 2 * devicePixelRatio;
    for (const day of data.days.filter(one => one.due !== null)) {
      const level = u.valToPos(day.due, "y", true);
      u.ctx.beginPath();
      u.ctx.moveTo(u.valToPos(day.noon - DAY / 2, "x", true), level);
      u.ctx.lineTo(u.valToPos(day.noon + DAY / 2, "x", true), level);
      u.ctx.stroke();
    }
    u.ctx.restore();
  }

  const axes = (label, numbers) => {
    const common = {
      stroke: colour("--soft"), font: "13px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif",
      grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
    };
    return [
      { ...common, values: [[DAY * 365, "{YYYY}"], [DAY * 28, "{MMM}\n{YYYY}"], [DAY, "{D} {MMM}"]]
          .map(([step, text]) => [step, text, null, null, null, null, null, null, 1]), incrs: [1, 2, 7, 14, 28, 91, 365].map(days => days * DAY), space: 64 },
      { ...common, label, size: AXIS, labelSize: 20, labelGap: 0, values: (u, ticks) => ticks.map(numbers) },
    ];
  };
  const options = (height, more) => ({
    width: box.clientWidth, height, tzDate: inUtc, legend: { show: false }, padding: [10, 24, 0, 0],
    cursor: { sync: { key: "water" }, points: { show: false }, y: false, drag: { x: true, y: false, setScale: true } },
    hooks: { drawClear: [shade], setCursor: [u => { if (u.cursor.left >= 0) tell(dayAt(u.posToVal(u.cursor.left, "x"))); }] },
    ...more,
  });
  const range = (u, from, to) => from === null || from <= data.from + DAY || to >= data.to - DAY ? [data.from, data.to] : [from, to];
  const line = (label, stroke, width, dash) => ({ label, stroke: colour(stroke), width, dash, spanGaps: false, points: { show: false } });

  function weights() {
    const merged = uPlot.join([
      [data.weighings.map(one => one[0]), data.weighings.map(one => one[1])],
      [data.days.map(day => day.noon), data.days.map(day => day.expected), data.days.map(day => day.minimum), data.days.map(day => day.floor)],
    ], [[2], [2, 2, 2, 2]]);
    const dot = { show: true, size: 7, width: 1.5, stroke: colour("--ink"), fill: colour("--paper") };
    return new uPlot(options(TALL, {
      scales: { x: { range }, y: { range: (u, low, high) => low === null ? [0, 1] : uPlot.rangeNum(low, high, 0.12, true) } },
      axes: axes("weight, g", value => value.toFixed(value % 1 ? 1 : 0)),
      series: [{},
        { label: "weight", stroke: colour("--ink"), width: 1.5, spanGaps: true, points: dot },
        { ...line("expected", "--accent", 2), spanGaps: true },
        { ...line("minimum", "--failed", 1.5, [7, 4]), spanGaps: true },
        { ...line("floor", "--critical", 1.5, [2, 3]), spanGaps: true }],
    }), merged, box);
  }

  function waters() {
    const bars = uPlot.paths.bars({ size: [0.7, 28, 2] });
    const filled = (label, name) => ({ label, fill: colour(name), stroke: colour(name), width: 0, paths: bars, points: { show: false } });
    const values = [
      data.days.map(day => day.noon),
      data.days.map(day => day.reward + day.supplement || null),
      data.days.map(day => day.reward || null),
    ];
    const most = Math.max(0.5, ...data.days.map(day => Math.max(day.reward + day.supplement, day.due || 0))) * 1.12;
    const made = options(LOW, {
      scales: { x: { range }, y: { range: () => [0, most] } },
      axes: axes("water, mL", value => value.toFixed(1)),
      series: [{}, filled("supplement", "--supplement"), filled("reward", "--reward")],
    });
    made.hooks.draw = [due];
    return new uPlot(made, values, box);
  }

  function draw() {
    for (const plot of plots) plot.destroy();
    plots = [weights(), waters()];
  }

  if (data.days.length) {
    draw();
    tell(data.days.length - 1);
    new ResizeObserver(() => { for (const plot of plots) plot.setSize({ width: box.clientWidth, height: plot.height }); }).observe(box);
    new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    box.addEventListener("keydown", event => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const index = Math.max(0, Math.min(data.days.length - 1, shown + step));
      for (const plot of plots) plot.setCursor({ left: plot.valToPos(data.days[index].noon, "x"), top: 10 }, false);
      tell(index);
    });
  }
}
