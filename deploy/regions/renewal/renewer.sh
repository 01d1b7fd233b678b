#!/bin/sh
# Prints how the account token-renewer is reached in the cluster of the current context, as the chart's regionTokens reads it.
set -eu

of() { kubectl get secret token-renewer -n slipway-system -o "jsonpath={.data.$1}"; }
server=$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}')
ca=$(of 'ca\.crt')
token=$(of token)
if [ -z "$token" ]; then
  echo "the cluster has not yet given the Secret token-renewer in slipway-system its token: try again" >&2
  exit 1
fi
printf '{"server":"%s","ca":"%s","token":"%s"}\n' "$server" "$ca" "$token"
