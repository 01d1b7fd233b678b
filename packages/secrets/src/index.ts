export { keyProblem, openKeyring } from "./key-file.ts";
export { type Keyring, keyring } from "./keyring.ts";
export { parseKey, SecretKeys } from "./keys.ts";
export { logLines } from "./masking/log-lines.ts";
export { lineMasker, maskerFor } from "./masking/masker.ts";
export { buildScope } from "./missing.ts";
export { openSecrets, type SecretStore, secretStore } from "./store.ts";
export { unknownServiceWarning } from "./unknown-service.ts";
