/** What both begin and end with. The context is what the step was given; the image is made outside of it, and takes its place, so that nothing else has to leave the pod. */
const begin = `
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$TMPDIR"
chmod 0700 "$XDG_RUNTIME_DIR"
`;
const end = `
find . -mindepth 1 -maxdepth 1 -exec rm -rf {} +
mv "$made" "$left"
`;

/** The fixed shell text: `build <where the image is made> <where it is left> <arguments of buildctl>...`. */
export const buildScript = `
made=$1 left=$2; shift 2
${begin}
buildctl-daemonless.sh build "$@"
${end}`;

/**
 * The same with a cache: `build <made> <left> <--output=...> <BuildKit's data> <folder of the cache> <its most bytes> <arguments>...`. What was kept is in `in`, and `out`
 * has what is to be kept from now on: nothing where a line of what was kept was used. It is always written to an empty folder, since BuildKit takes nothing out of one. A RUN
 * line was in it where BuildKit says CACHED or fetches its layers, which it may say in place of that. No trouble with it is the build's: where a build with it fails by anything
 * but the Dockerfile and its images, it is built without.
 */
export const cachedBuildScript = `
made=$1 left=$2 output=$3 data=$4 in=$5/in out=$5/out most=$6; shift 6
${begin}
said=$TMPDIR/said
mkdir -p "$out"
say() { echo "cache: $*"; }
warm() {
  { buildctl-daemonless.sh build "$@" "$output" --import-cache "type=local,src=$in" 2>&1 && : > "$said.well"; } | tee "$said"
  [ -e "$said.well" ]
}
exports=no
cold() { exports=yes; buildctl-daemonless.sh build "$@" --export-cache "type=local,dest=$out,mode=max,ignore-error=true"; }
if [ ! -e "$in/index.json" ]; then
  cold "$@" "$output"
elif warm "$@"; then
  lines=$(awk '/^#[0-9]+ \\[[^]]*\\] RUN /{run[$1]} /^#[0-9]+ (CACHED$|(extracting )?sha256:)/{if($1 in run)hit[$1]} END{for(n in run)all++;for(n in hit)had++;print had+0,all+0}' "$said")
  say "\${lines% *} of \${lines#* } RUN lines were in what was kept"
  case $lines in
    "0 0") ;;
    "0 "*) cold "$@" > "$said" 2>&1 || : ;;
  esac
elif grep -q -e "did not complete successfully" -e "parse error" -e "resolve source metadata" -e "could not connect to unix" "$said"; then
  exit 1
else
  say "what was kept is of no use: the image is built without it"
  rm -rf "$in" "$made"
  # What it has there is partly made of what was kept, and belongs to users that only BuildKit can be.
  BUILDKITD_FLAGS="$BUILDKITD_FLAGS --root=$data-anew"
  cold "$@" "$output"
fi
rm -rf "$out/ingest"
if [ -e "$out/index.json" ]; then
  size=$(du -sk "$out" | awk '{print $1}')
  if [ "$((size * 1024))" -gt "$most" ]; then
    say "not kept: its size of $((size / 1024)) MiB is over the $((most / 1048576)) MiB that all caches may have"
    find "$out" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  fi
elif [ "$exports" = yes ]; then
  say "not kept: BuildKit could not export it"
fi
${end}`;
