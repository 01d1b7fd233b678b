/** What looks like a secret in a text, by line (from 1). The value itself is never told. */
export type SecretFinding = { readonly line: number; readonly rule: string; readonly hint: string };

/** Patterns of well-known tokens. Each is linear: no nested repetition. */
const rules: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  {
    name: "private-key",
    pattern: /-----BEGIN (?:RSA |EC |DSA |OPENSSH |PGP |ENCRYPTED )?PRIVATE KEY(?: BLOCK)?-----/g,
  },
  { name: "aws-access-key", pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g },
  { name: "github-token", pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b/g },
  { name: "gitlab-token", pattern: /\bglpat-[A-Za-z0-9_-]{20,64}\b/g },
  { name: "slack-token", pattern: /\bxox[abposr]-[A-Za-z0-9-]{10,250}\b/g },
  {
    name: "slack-webhook",
    pattern: /https:\/\/hooks\.slack\.com\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/[A-Za-z0-9]{16,}/g,
  },
  { name: "stripe-key", pattern: /\b[sr]k_live_[A-Za-z0-9]{20,250}\b/g },
  { name: "google-api-key", pattern: /\bAIza[0-9A-Za-z_-]{35}\b/g },
  { name: "npm-token", pattern: /\bnpm_[A-Za-z0-9]{36}\b/g },
  { name: "slipway-token", pattern: /\bslp_[a-z0-9]+_[A-Za-z0-9_-]{20,}\b/g },
  { name: "json-web-token", pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g },
  {
    name: "password-in-url",
    pattern: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/'"`$<>{}]{1,64}:([^\s:@/'"`$<>{}]{4,128})@/g,
  },
];

/** A name that says "secret", then a long literal: a secret if it looks like chance. */
const assignment =
  /(?:secret|token|password|passwd|api_?key|private_?key|access_?key)["'`]?\s{0,4}[:=]\s{0,4}["'`]([A-Za-z0-9+/=_.~-]{16,256})["'`]/gi;
const leastEntropy = 3.5;
const longestLine = 4_096;
/** On the line of a finding that is none, e.g. a test's token. */
const allowMark = "slipway:allow-secret";

/** Finds secrets in one file's text. */
export function findSecrets(text: string): SecretFinding[] {
  return text.split("\n").flatMap((full, index) => {
    const line = full.slice(0, longestLine);
    if (line.includes(allowMark)) return [];
    const known = rules.flatMap(({ name, pattern }) =>
      [...line.matchAll(pattern)]
        .filter((match) => !isPlaceholder(match[1] ?? ""))
        .map((match) => finding(index, name, match[0])),
    );
    if (known.length > 0) return known;
    return [...line.matchAll(assignment)]
      .map((match) => match[1] ?? "")
      .filter((value) => entropy(value) >= leastEntropy && !isPlaceholder(value) && hasDigitAndLetter(value))
      .map((value) => finding(index, "high-entropy-literal", value));
  });
}

function finding(index: number, rule: string, value: string): SecretFinding {
  return { line: index + 1, rule, hint: `${value.slice(0, 4)}… (${value.length} characters)` };
}

/** Shannon entropy in bits per character: English about 2.5 to 3.5 at these lengths, random base64 above 4. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => sum - (count / text.length) * Math.log2(count / text.length), 0);
}

function isPlaceholder(value: string): boolean {
  return /^(?:x+|\*+|\.+|your|change|example|placeholder|dummy|password|secret|test)/i.test(value);
}

function hasDigitAndLetter(value: string): boolean {
  return /[0-9]/.test(value) && /[A-Za-z]/.test(value);
}
