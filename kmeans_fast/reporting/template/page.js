"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
const isDark = matchMedia("(prefers-color-scheme: dark)");

// Before and after

function compare() {
  const box = element("compare");
  const slider = element("split");
  const show = () => {
    box.style.setProperty("--split", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} % before, ${100 - slider.value} % after`);
  };
  const follow = (event) => {
    const { left, width } = box.getBoundingClientRect();
    slider.value = Math.round((100 * (event.clientX - left)) / width);
    show();
  };
  slider.addEventListener("input", show);
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the browser would drag the picture away
    box.setPointerCapture(event.pointerId);
    follow(event);
  });
  box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && follow(event));
  show();
}

// Palette

const FORMATS = {
  hex: (colors) => colors.join("\n"),
  rgb: (colors) => colors.map((color) => `rgb(${channels(color).join(" ")})`).join("\n"),
  css: (colors) => colors.map((color, i) => `--color-${i + 1}: ${color};`).join("\n"),
  json: (colors) => JSON.stringify(colors),
};

function channels(color) {
  const levels = color.slice(1).match(/../g).map((digits) => parseInt(digits, 16));
  return levels.length < 4 ? levels : [...levels.slice(0, 3), "/", (levels[3] / 255).toFixed(3)];
}

async function copy(text, name) {
  const said = element("copied");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `Copied ${name}.`;
  } catch {
    said.textContent = copyBySelection(text) ? `Copied ${name}.` : "This browser lets no page copy.";
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return done;
}

function palette(highlight) {
  element("copy-all").addEventListener("click", () =>
    copy(FORMATS[element("format").value](data.hex_colors), `${data.hex_colors.length} values`),
  );
  const table = document.querySelector(".palette tbody");
  const entryOf = (event) => event.target.closest("tr")?.dataset.entry;
  table.addEventListener("click", (event) => {
    const value = event.target.closest("button")?.dataset.copy;
    if (value) copy(value, value);
  });
  for (const name of ["pointerover", "focusin"])
    table.addEventListener(name, (event) => highlight(Number(entryOf(event) ?? -1)));
  for (const name of ["pointerleave", "focusout"]) table.addEventListener(name, () => highlight(-1));
}

// Colours and centroids

const { cloud } = data;
const N_DIMENSIONS = cloud.low.length;

// The centre of space is 0, its edges are at ±1; grey is the diagonal.
function placed(point) {
  return [0, 1, 2].map((axis) => {
    const from = N_DIMENSIONS === 1 ? 0 : axis;
    return (2 * (point[from] - cloud.low[from])) / (cloud.high[from] - cloud.low[from]) - 1;
  });
}

function nearest(point, centroids) {
  let best = 0;
  let least = Infinity;
  centroids.forEach((centroid, k) => {
    let distance = 0;
    for (let i = 0; i < point.length; i++) distance += (point[i] - centroid[i]) ** 2;
    if (distance < least) [best, least] = [k, distance];
  });
  return best;
}

class Cloud {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.step = 0; // may lie between two
    this.turn = this.tilt = 0;
    this.byCluster = false;
    this.highlighted = -1;
    this.points = cloud.points.map(placed);
    this.radii = cloud.counts.map((count) => 1.2 + 0.35 * Math.log2(count));
    this.steps = data.centroids.map((step) => step.map(placed));
    this.rings = data.visible.map((entry) => 5 + 9 * Math.sqrt(data.counts[entry] / (data.width * data.height)));
    this.isAsked = false;
  }

  // Draw once, soon, however often it is asked for.
  ask() {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.draw();
    });
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.project = this.projection(width, height);
    const style = getComputedStyle(this.canvas);
    this.ink = style.getPropertyValue("--ink");
    this.quiet = style.getPropertyValue("--quiet");
    this.paper = style.getPropertyValue("--page");
    this.drawAxes();
    this.drawPoints();
    this.drawCentroids();
    this.drawNames();
  }

  projection(width, height) {
    const [turn, tilt] = [this.turn, this.tilt].map((degrees) => (degrees * Math.PI) / 180);
    const [ct, st, cp, sp] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
    const scale = Math.min(width, height) * 0.95;
    return ([x, y, z]) => {
      const [across, away] = [ct * x - st * y, st * x + ct * y];
      const depth = cp * away - sp * z;
      const size = (scale * 1.45) / (depth + 5.5);
      return [width / 2 + across * size, height / 2 - (sp * away + cp * z) * size, depth, size];
    };
  }

  line(from, to) {
    const [[x, y], [u, v]] = [this.project(from), this.project(to)];
    this.context.moveTo(x, y);
    this.context.lineTo(u, v);
  }

  drawAxes() {
    const { context } = this;
    context.strokeStyle = this.quiet;
    context.lineWidth = 1;
    context.beginPath();
    for (const a of [-1, 1])
      for (const b of [-1, 1]) {
        this.line([-1, a, b], [1, a, b]);
        this.line([a, -1, b], [a, 1, b]);
        this.line([a, b, -1], [a, b, 1]);
      }
    context.stroke();
  }

  // At the far end of each axis, and over the points.
  drawNames() {
    const { context } = this;
    context.font = "14px system-ui, sans-serif";
    context.textAlign = "center";
    [context.fillStyle, context.strokeStyle, context.lineWidth] = [this.ink, this.paper, 3];
    for (const axis of [0, 1, 2]) {
      const [x, y] = this.project([0, 1, 2].map((other) => (other === axis ? 1.12 : -1.06)));
      const from = N_DIMENSIONS === 1 ? 0 : axis;
      const name = `${cloud.axes[axis]} ${cloud.high[from]}`;
      const half = context.measureText(name).width / 2 + 3;
      const inside = Math.min(Math.max(x, half), this.canvas.clientWidth - half);
      context.strokeText(name, inside, y);
      context.fillText(name, inside, y);
    }
  }

  drawPoints() {
    const { context } = this;
    const colors = this.byCluster ? this.clusterColors() : cloud.colors;
    const seen = this.points.map((point, i) => [...this.project(point), i]).sort((a, b) => b[2] - a[2]);
    for (const [x, y, , size, i] of seen) {
      const radius = (this.radii[i] * size) / 100;
      context.fillStyle = `#${colors[i]}`;
      context.beginPath();
      context.arc(x, y, Math.max(radius, 0.8), 0, 7);
      context.fill();
    }
  }

  clusterColors() {
    const whole = Math.round(this.step);
    const colors = data.visible.map((entry) => data.hex_colors[entry].slice(1));
    return cloud.points.map((point) => colors[nearest(point, data.centroids[whole])]);
  }

  // Where the centroids are; between two steps on the way from one to the next.
  centroids() {
    const before = Math.floor(this.step);
    const part = this.step - before;
    const [from, to] = [this.steps[before], this.steps[Math.min(before + 1, this.steps.length - 1)]];
    return from.map((place, k) => place.map((x, i) => x + part * (to[k][i] - x)));
  }

  drawCentroids() {
    const { context } = this;
    const places = this.centroids();
    const outlined = (draw, width) => {
      for (const [style, extra] of [[this.paper, 2.5], [this.ink, 0]]) {
        [context.strokeStyle, context.lineWidth] = [style, width + extra];
        context.beginPath();
        draw();
        context.stroke();
      }
    };
    outlined(() => {
      places.forEach((place, k) => {
        const ways = this.steps.slice(0, Math.floor(this.step) + 1).map((step) => step[k]);
        [...ways, place].reduce((from, to) => (this.line(from, to), to));
      });
    }, 1);
    places
      .map((place, k) => [...this.project(place), k])
      .sort((a, b) => b[2] - a[2])
      .forEach(([x, y, , , k]) => {
        const isChosen = data.visible[k] === this.highlighted;
        const radius = this.rings[k] * (isChosen ? 1.6 : 1);
        outlined(() => context.arc(x, y, radius, 0, 7), isChosen ? 4 : 1.5);
        context.fillStyle = data.hex_colors[data.visible[k]];
        context.fill();
      });
  }
}

function explore() {
  const canvas = element("cloud");
  const view = new Cloud(canvas);
  const [turn, tilt, step] = ["turn", "tilt", "step"].map(element);
  const last = data.centroids.length - 1;
  step.max = last;

  const nameOf = (index) => {
    if (index === last) return "the palette: rounded";
    const iteration = data.steps[index];
    return iteration === 0 ? "where they began" : `after iteration ${iteration} of ${data.shifts.length}`;
  };
  const read = () => {
    [view.turn, view.tilt] = [Number(turn.value), Number(tilt.value)];
    view.ask();
  };
  const go = (to) => {
    view.step = to;
    const whole = Math.round(to);
    step.value = whole;
    step.setAttribute("aria-valuetext", nameOf(whole));
    element("step-name").textContent = nameOf(whole);
    for (const dot of document.querySelectorAll("circle[data-step]"))
      dot.classList.toggle("now", Number(dot.dataset.step) === data.steps[whole] && whole < last);
    view.ask();
  };

  for (const input of [turn, tilt]) input.addEventListener("input", read);
  step.addEventListener("input", () => {
    player.stop();
    go(Number(step.value));
  });
  element("by-cluster").addEventListener("change", (event) => {
    view.byCluster = event.target.checked;
    view.ask();
  });
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    view.turn = ((view.turn + event.movementX * 0.4 + 540) % 360) - 180;
    view.tilt = Math.max(-90, Math.min(90, view.tilt + event.movementY * 0.4));
    [turn.value, tilt.value] = [view.turn, view.tilt];
    view.ask();
  });
  const player = playing(view, go, last);
  element("play").addEventListener("click", player.toggle);
  element("play").disabled = step.disabled = last === 0;
  isDark.addEventListener("change", () => view.ask());
  new ResizeObserver(() => view.ask()).observe(canvas);
  read();
  go(0);
  return (entry) => {
    view.highlighted = entry;
    view.ask();
  };
}

// Go from step to step: smoothly, or where motion isn't wanted, at once and more slowly.
function playing(view, go, last) {
  const button = element("play");
  let isOn = false;
  let before = 0;
  const stop = () => {
    isOn = false;
    button.textContent = "Play";
  };
  const tick = (now) => {
    if (!isOn) return;
    const elapsed = now - before;
    if (isStill.matches) {
      if (elapsed >= 1200) {
        before = now;
        go(Math.min(Math.floor(view.step) + 1, last));
      }
    } else {
      before = now;
      go(Math.min(view.step + Math.min(elapsed, 100) / 700, last));
    }
    if (view.step >= last) stop();
    else requestAnimationFrame(tick);
  };
  const toggle = () => {
    if (isOn) return stop();
    isOn = true;
    button.textContent = "Pause";
    if (view.step >= last) go(0);
    before = performance.now();
    requestAnimationFrame(tick);
  };
  return { toggle, stop };
}

compare();
palette(explore());
