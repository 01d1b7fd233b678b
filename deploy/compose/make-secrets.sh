#!/bin/sh
# Makes what docker-compose.yml mounts from secrets/. What is there already is kept.
#
#   docker build -f deploy/docker/Dockerfile --target services -t slipway-services:0.1.0 .
#   deploy/compose/make-secrets.sh
#
# SLIPWAY_SERVICE: how `slipway-service` is run where that is not by Docker.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets/slipway
chmod 700 secrets

random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
keep() { [ -s "secrets/$1" ] || printf '%s\n' "$2" > "secrets/$1"; }

for name in postgres-password redis-password s3-access-key s3-secret-key grafana-password; do keep "$name" "$(random)"; done
keep admin-database-url "postgres://slipway_admin:$(cat secrets/postgres-password)@postgres:5432/slipway"
keep lock-url "redis://:$(cat secrets/redis-password)@redis:6379"
keep s3-credentials "[default]
aws_access_key_id = $(cat secrets/s3-access-key)
aws_secret_access_key = $(cat secrets/s3-secret-key)"

if [ -n "${SLIPWAY_SERVICE:-}" ]; then
  SLIPWAY_DATA="$PWD/secrets/slipway" $SLIPWAY_SERVICE credentials
else
  docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/secrets/slipway:/data" slipway-services:0.1.0 credentials
fi
# The containers' user is another one than yours: the files are closed by the folder above them.
find secrets -mindepth 1 -type d -exec chmod 755 {} +
find secrets -type f -exec chmod 644 {} +
