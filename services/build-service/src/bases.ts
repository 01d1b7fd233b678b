import { access } from "node:fs/promises";
import { join } from "node:path";
import { isBuiltInBase, readImageName } from "@slipway/contracts";
import {
  type BaseLayer,
  certificatesInside,
  findPython,
  type HostPython,
  type ImageSource,
  type Layer,
  makeNodeBaseLayer,
  makePythonBaseLayer,
  makeStaticBaseLayer,
  OciError,
  pythonBaseEnv,
} from "@slipway/oci";
import { pinned } from "@slipway/pipeline";
import { once } from "./once.ts";

/** What an image stands on. */
export type Base = {
  readonly layers: readonly BaseLayer[];
  readonly env: Readonly<Record<string, string>>;
  /** `node:24@sha256:…` for an image of a registry, null for what the platform makes itself. */
  readonly image: string | null;
};

/** Throws OciError with what to do where a base cannot be had. */
export type Bases = (base: string, signal: AbortSignal) => Promise<Base>;

export type BasesOptions = {
  readonly dir: string;
  readonly images: ImageSource;
  /** The prefix of the Python that steps have: what they install has to fit the one that it will run with. */
  stepPython(): Promise<string | undefined>;
};

/**
 * Bases of this machine are made at the first asking and kept in `dir`, which several platforms of the machine may share; images of a
 * registry are asked for anew each time.
 */
export function openBases({ dir, images, stepPython }: BasesOptions): Bases {
  const own = {
    node24: once(() => makeNodeBaseLayer({ nodePath: process.execPath, dir }), isKept),
    python3: once(async () => makePythonBaseLayer({ python: await pythonOf(await stepPython()), dir }), isKept),
    static: once(() => makeStaticBaseLayer({ dir }), isKept),
  };
  const envs = { node24: {}, python3: pythonBaseEnv, static: { SSL_CERT_FILE: certificatesInside } };
  return async (base, signal) => {
    if (isBuiltInBase(base)) return { layers: [await own[base]()], env: envs[base], image: null };
    const name = readImageName(base);
    if (name === undefined) throw new OciError("invalid", `${base} is not an image of a registry`);
    const resolved = await images.resolve(name, signal);
    return { ...(await images.base(resolved, signal)), image: pinned(resolved) };
  };
}

const isKept = ({ path }: Layer): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function pythonOf(prefix: string | undefined): Promise<HostPython> {
  return prefix === undefined ? findPython() : findPython([join(prefix, "bin", "python3")]);
}
