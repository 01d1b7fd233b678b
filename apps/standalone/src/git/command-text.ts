/** The shell line that runs the command line against this platform. */
export type CommandLine = { readonly program: string; readonly dataDir: string };

/** A line that can be pasted into a shell in any folder: by the Node that runs this, since the shell's own may be too old. */
export function commandText({ program, dataDir }: CommandLine, words: readonly string[]): string {
  return [`SLIPWAY_DATA=${quoted(dataDir)}`, quoted(process.execPath), quoted(program), ...words.map(quoted)].join(" ");
}

/** A line that makes `slipway` such a command in the shell it is pasted into. */
export function aliasText(commands: CommandLine): string {
  return `alias slipway=${quoted(commandText(commands, []))}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
