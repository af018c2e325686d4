#!/bin/bash
# mitoscope on machines that are reached by SSH: ssh.sh LIST.csv OUT HOST...
# Run it on the first machine. The environment and the slides lie under the same path on all of them.
set -euo pipefail

list=$1 out=$2
shift 2
ray=/shared/mitoscope/bin/ray
port=6379
# Only who has this secret can use the cluster.
export RAY_AUTH_MODE=token
"$ray" get-auth-token --generate > /dev/null

"$ray" start --head --port="$port"
address="$(hostname --ip-address | awk '{print $1}'):$port"
stop() {
  for host in "$@"; do ssh "$host" "$ray" stop || true; done
  "$ray" stop
}
trap 'stop "$@"' EXIT
for host in "$@"; do
  ssh "$host" "mkdir -p ~/.ray && cat > ~/.ray/auth_token && chmod 600 ~/.ray/auth_token" < ~/.ray/auth_token
  ssh "$host" RAY_AUTH_MODE=token "$ray" start --address "$address"
done

/shared/mitoscope/bin/mitoscope doctor --cluster "$address"
/shared/mitoscope/bin/mitoscope detect --slides-from "$list" --out "$out" --cluster "$address"
