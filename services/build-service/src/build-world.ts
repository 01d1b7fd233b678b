import type { Bus } from "@slipway/bus";
import type { Client } from "@slipway/client";
import type { CommandContext, DurableMachine, Outcome, SendResult } from "@slipway/durable";
import type { Executor, Registries, Toolchain } from "@slipway/executor";
import type { BuildId, Instant } from "@slipway/kernel";
import type { ImageSource, RegistryClient } from "@slipway/oci";
import type { ImageRegistries, StepCaches, Tools } from "@slipway/pipeline";
import type { SecretStore } from "@slipway/secrets";
import type { Db, Tx } from "@slipway/sql";
import type { Bases } from "./bases.ts";
import type { BuildServiceConfig } from "./config.ts";
import type { BuildCommand, BuildInput, BuildState } from "./domain/state.ts";
import type { Slots } from "./slots.ts";
import type { BuildTables } from "./tables.ts";

/** What the effects of a build reach. */
export type BuildWorld = {
  readonly db: Db<BuildTables>;
  readonly bus: Bus;
  /** Tells a build what has happened within a transaction of the effect's own. */
  send(tx: Tx<BuildTables>, id: BuildId, input: (at: Instant) => BuildInput): Promise<SendResult<BuildState>>;
  readonly client: Client;
  /** Asked at the time of use: its address is known once the platform listens. */
  registry(): RegistryClient;
  readonly executor: Executor;
  readonly config: BuildServiceConfig;
  readonly dataDir: string;
  /** Names of the platform's environments. */
  readonly environments: readonly string[];
  /** The name of the disk on which workspaces are. */
  readonly place: string;
  readonly tools: Tools;
  readonly stepSlots: Slots;
  readonly secrets: SecretStore;
  /** This service's own token and where it holds: repositories served by the platform itself ask for it. */
  readonly token: string;
  publicUrl(): string;
  /** The file of authorities that git believes; none: those of the machine. */
  readonly gitAuthorities: string | undefined;
  /** What an image stands on, by `image.base`. */
  readonly bases: Bases;
  /** Images of any registry, this platform's own among them. */
  readonly images: ImageSource;
  /** How the registries of others are reached. */
  readonly imageRegistries: ImageRegistries;
  readonly caches: StepCaches;
  /** What this machine has to build with, and the registries it uses; each looked for once, when it is first needed. */
  toolchain(): Promise<Toolchain>;
  registries(): Promise<Registries>;
};

export type BuildContext = CommandContext<BuildState>;
export type BuildOutcome = Outcome<BuildInput>;
export type BuildMachine = DurableMachine<BuildState, BuildInput, BuildCommand>;
