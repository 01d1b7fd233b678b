/** One thing that detection settled, and what it saw that in. */
export type Found = { readonly what: string; readonly value: string; readonly why: string };

/** A step as detection writes it; `comment` stands above it in the file. */
export type DraftStep = {
  readonly name: string;
  readonly comment: string;
  readonly run?: string;
  readonly uses?: "security-scan" | "static-server";
  readonly needs?: readonly string[];
  readonly network?: "registries";
  readonly cache?: { readonly key: readonly string[]; readonly paths: readonly string[] };
  readonly env?: Readonly<Record<string, string>>;
};

export type DraftImage = {
  readonly base: "node24" | "python3" | "static";
  /** The step whose files the image is made from; absent where no step makes any. */
  readonly from?: string;
  readonly copy: readonly string[];
  /** What of the commit is left out; empty where `copy` names all that is in. */
  readonly exclude: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

export type Ecosystem = "node" | "python" | "go" | "static";

/** What a repository needs to be built and run, before it has a name. */
export type Draft = {
  readonly ecosystem: Ecosystem;
  readonly steps: readonly DraftStep[];
  readonly image: DraftImage;
  readonly readyPath: string;
  readonly found: readonly Found[];
  /** What its owner should know and nothing stops. */
  readonly notes: readonly string[];
};

/** Why nothing can be built, and each thing that would change that. */
export type Undetected = {
  readonly kind: "undetected";
  readonly problem: string;
  readonly remedies: readonly string[];
};

export function undetected(problem: string, ...remedies: readonly string[]): Undetected {
  return { kind: "undetected", problem, remedies };
}

export function isUndetected(found: object): found is Undetected {
  return "kind" in found && found.kind === "undetected";
}

export const scanStep: DraftStep = {
  name: "scan",
  comment: "Secrets in the tree, and npm packages with known holes; needs no network.",
  uses: "security-scan",
};
