import type { AwsKey } from "./signature.ts";

export type EcrRepository = { readonly immutable: boolean };

/** What a registry of ECR knows, apart from the bytes. */
export type EcrState = {
  readonly account: string;
  readonly region: string;
  readonly key: AwsKey;
  readonly repositories: Map<string, EcrRepository>;
  /** Passwords that were given out, with the time at which each ends. */
  readonly passwords: Map<string, number>;
  /** Manifests that point at another one, by repository and digest of that. */
  readonly referrers: Map<string, object[]>;
  /** Requests that will be throttled from now on. */
  throttled: number;
  /** Whether the key may ask for passwords. */
  allowed: boolean;
  /** Whether the key may make repositories. */
  mayMake: boolean;
};

export const passwordMs = 12 * 3_600_000;

export function notThere(state: EcrState, repository: string): string {
  return `The repository with name '${repository}' does not exist in the registry with id '${state.account}'`;
}
