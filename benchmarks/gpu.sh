#!/usr/bin/env bash
# Everything that needs a GPU, in one call under 10 minutes on one H100 with torch 2.11 to 2.13 and no network:
#
#     benchmarks/gpu.sh DIR
#
# runs the tests marked gpu, a subset of the speed suites, the cliffs, many models in one graph and a short accuracy suite
# from this checkout (nothing is installed), leaves rows, reports and logs in DIR, and packs them into DIR.tar.gz.
#
# The subset: speed in float32, eager and as CUDA graphs, at batch 64 and 4096; lstm in every other dtype; cliffs at
# batch 64 and 1024; one seed of the price suite, or of the smoke suite where the package arch is missing. For all of
# it, run the suites themselves: zoo speed benchmarks/suites/speed.toml --device cuda.
#
# DEVICE=cpu rehearses it without a GPU; CELL_SECONDS caps a cell (default 0.5).
set -uo pipefail
[ $# -eq 1 ] || { echo "usage: benchmarks/gpu.sh DIR" >&2; exit 2; }
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.." || exit 2
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
cell=(--seconds "${CELL_SECONDS:-0.5}" --passes 1)  # an idle GPU does not drift, and each process costs seconds
suites=benchmarks/suites
if [ "$device" = cuda ]; then modes=eager,cuda-graph dtypes=tf32,bfloat16,float16; else modes=eager dtypes=bfloat16; fi
failed=0

# step NAME SECONDS COMMAND...: its output goes to DIR/NAME.log, its time and exit code to DIR/steps.txt
step() {
  local name=$1 limit=$2 began=$SECONDS code
  shift 2
  timeout --signal=INT --kill-after=10 "$limit" "$@" >"$out/$name.log" 2>&1
  code=$?
  printf '%-12s exit %3d  %4d s of %d\n' "$name" "$code" $((SECONDS - began)) "$limit" | tee -a "$out/steps.txt"
  [ "$code" -eq 0 ] || { failed=1; tail -n 5 "$out/$name.log"; }
}

: >"$out/steps.txt"
{ nvidia-smi; "$python" -m pip list; git rev-parse HEAD; } >"$out/machine.txt" 2>&1
if [ "$device" = cuda ]; then
  # Only files with such tests, since others need packages that may be missing; warnings are no errors, since
  # versions differ from the pinned ones.
  mapfile -t files < <(grep -rl 'mark\.gpu' tests --include='test_*.py')
  step tests 80 "$python" -m pytest "${files[@]}" -m gpu -W default -p no:cacheprovider -rs
fi
step speed 230 "$python" -m zoo.cli speed $suites/speed.toml --device "$device" --mode "$modes" --batch-size 64,4096 \
  --models lstm,stacked-lstm,bilstm,proj-lstm,cnn-lstm,attention-lstm,linear "${cell[@]}" --out "$out/speed"
step dtypes 70 "$python" -m zoo.cli speed $suites/speed.toml --device "$device" --dtype "$dtypes" --models lstm \
  --batch-size 64,4096 "${cell[@]}" --out "$out/speed"
step cliffs 145 "$python" -m zoo.cli speed $suites/speed-cliffs.toml --device "$device" --batch-size 64,1024 \
  --lookback 96 "${cell[@]}" --out "$out/speed-cliffs"
if [ "$device" = cuda ]; then
  step fused 60 "$python" benchmarks/bench_together.py --out "$out/fused"
fi
if "$python" -c 'import arch' 2>/dev/null; then accuracy=sp500; else accuracy=smoke; fi
step accuracy 70 "$python" -m zoo.cli bench $suites/$accuracy.toml --device "$device" --seeds 1 \
  --models lstm,proj-lstm,linear,naive --set fit.max_epochs=20 --out "$out/$accuracy"
# A run that its limit cut short has rows, but no report yet.
step reports 40 "$python" -m zoo.cli report "$out/speed" "$out/speed-cliffs" "$out/$accuracy"
tar -czf "$out.tar.gz" -C "$(dirname "$out")" "$(basename "$out")"
echo "rows, reports and logs are in $out and $out.tar.gz"
exit $failed
