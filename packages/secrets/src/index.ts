export { openKeyring } from "./key-file.ts";
export { type Keyring, keyring } from "./keyring.ts";
export { parseKey, SecretKeys } from "./keys.ts";
export { buildScope } from "./missing.ts";
export { openSecrets, type SecretStore, secretStore } from "./store.ts";
