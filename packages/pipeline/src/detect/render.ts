import { stringify } from "yaml";
import { dockerfileName, dockerfileUsed } from "./dockerfile.ts";
import { type Draft, type DraftStep, scanStep } from "./found.ts";
import type { RepositoryView } from "./repository-view.ts";

const guide = "docs/guides/slipway-yaml.md";
const environmentLines = [
  "environments:",
  "  dev: { replicas: 1 }",
  "  # prod: { replicas: 4, env: { LOG_LEVEL: info } }",
  "",
];

/** The slipway.yaml of what was detected, with comments for somebody who has never seen one. */
export function renderSlipwayYaml(draft: Draft, service: string): string {
  return [
    ...headLines(draft, service, "; try the steps here with: slipway run"),
    "# Steps start as soon as what they need has succeeded, each in a sandbox with the commit's files and what its needs have",
    "# made. Only a step with network: registries reaches anything, and no more than the package registries.",
    "pipeline:",
    ...draft.steps.flatMap(stepLines),
    "",
    ...imageLines(draft),
    "",
    ...workloadLines(draft),
    "",
    "# In production a new version first gets 5% of the requests, and goes on only when they prove it; what fails is taken",
    "# back by itself. These are the defaults:",
    "# deploy: { steps: [{ weight: 5, bake: 10m }, { weight: 25, bake: 10m }, { weight: 50, bake: 5m }, { weight: 100 }] }",
    ...environmentLines,
  ].join("\n");
}

/** The slipway.yaml of a repository that its Dockerfile builds. */
export function renderDockerfileYaml(view: RepositoryView, service: string): string {
  const { found, notes } = dockerfileUsed(view);
  const path = dockerfileName(view);
  return [
    ...headLines({ found }, service, ""),
    "# Both start at once, each in a pod with the commit's files. network: registries lets the build fetch what FROM lines name.",
    "pipeline:",
    ...stepLines(scanStep),
    "  # The image, by BuildKit.",
    "  container:",
    "    uses: dockerfile",
    "    network: registries",
    "    timeout: 20m",
    ...(path === "Dockerfile" ? [] : [`    dockerfile: { path: ${path} }`]),
    "",
    "# Its process gets $PORT and has to listen there.",
    "image: { from: container }",
    "",
    ...workloadLines({ readyPath: "/", notes }),
    "",
    ...environmentLines,
  ].join("\n");
}

/** `more`: what else can be done with such a file. */
function headLines({ found }: Pick<Draft, "found">, service: string, more: string): string[] {
  return [
    `# How ${service} is built, tested and run. Made by detection; yours to change.`,
    `# All keys: ${guide}. Check it with: slipway validate${more}`,
    ...found.map(({ what, value, why }) => `#   ${oneLine(`${what}: ${value}   (${why})`)}`),
    "version: 1",
    `service: ${service}`,
    "",
  ];
}

function stepLines(step: DraftStep): string[] {
  const { name, comment, run, uses, needs = [], network, cache, env = {} } = step;
  return [
    `  # ${comment}`,
    `  ${name}:`,
    ...(needs.length === 0 ? [] : [`    needs: ${flow(needs)}`]),
    ...(uses === undefined ? [] : [`    uses: ${uses}`]),
    ...(run === undefined ? [] : block("run", run, "    ")),
    ...(network === undefined ? [] : [`    network: ${network}`]),
    ...(Object.keys(env).length === 0 ? [] : [`    env: ${flow(env)}`]),
    ...(cache === undefined ? [] : [`    cache: ${flow(cache)}`]),
  ];
}

function imageLines({ image, ecosystem }: Draft): string[] {
  const { base, from, copy, exclude, command, env } = image;
  const whole = ecosystem !== "go" && copy[0] === ".";
  return [
    `# The image: ${bases[base]} and under /app what is copied. Its process gets $PORT and has to listen there.`,
    "image:",
    `  base: ${base}`,
    ...(from === undefined ? [] : [`  from: ${from} # the step whose files are copied`]),
    `  copy: ${flow(copy)}${whole ? " # everything that is there then; name files and folders to have less" : ""}`,
    ...(exclude.length === 0
      ? []
      : [
          "  # Files of the commit that are left out, as in a .dockerignore; what steps made is always in.",
          "  exclude:",
          ...exclude.map((pattern) => `    - ${scalar(pattern)}`),
        ]),
    `  command: ${flow(command)}`,
    ...(Object.keys(env).length === 0
      ? []
      : ["  env:", ...Object.entries(env).map(([key, value]) => `    ${key}: ${scalar(value)}`)]),
  ];
}

const bases = {
  node24: "Node 24 on nothing else (no shell)",
  python3: "Python on nothing else",
  static: "nothing but certificates and time zones, for static binaries",
} as const;

function workloadLines({ readyPath, notes }: Pick<Draft, "readyPath" | "notes">): string[] {
  return [
    "# A pod gets requests once this path answers. replicas is per region.",
    ...notes.map((note) => `# ${note}`),
    "workload:",
    "  replicas: 2",
    `  ready: { path: ${scalar(readyPath)}, timeout: 30s }`,
    "  resources: { cpu: 250m, memory: 256Mi }",
  ];
}

/** A key with a text that may have several lines, quoted as YAML needs it. */
function block(key: string, text: string, indent: string): string[] {
  return stringify({ [key]: text }, { lineWidth: 0 })
    .trimEnd()
    .split("\n")
    .map((line) => `${indent}${line}`);
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value !== "object" || value === null) return scalar(String(value));
  return `{ ${Object.entries(value)
    .map(([key, one]) => `${key}: ${flow(one)}`)
    .join(", ")} }`;
}

/** Plain where no reader of YAML could take it for anything but this text. */
function scalar(text: string): string {
  return /^[A-Za-z_./~@][\w./~@=+-]*$/.test(text) &&
    !/^(true|false|null|yes|no|on|off|~)$/i.test(text) &&
    text !== "." &&
    !text.startsWith("@")
    ? text
    : JSON.stringify(text);
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
