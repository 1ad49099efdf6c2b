# The same layout as on a gateway: runtime in /opt/kilowitness/node, programs in /opt/kilowitness/app.
#
#   docker buildx build --platform linux/arm64,linux/amd64 -t kilowitness .
#   docker run -v kilowitness:/var/lib/kilowitness -v ./agent.yaml:/etc/kilowitness/agent.yaml:ro \
#     --device /dev/ttyUSB0 --group-add dialout kilowitness agent --config /etc/kilowitness/agent.yaml
#
# The first stage runs on the builder's own architecture and prepares the other one's files; nothing is emulated.
FROM --platform=$BUILDPLATFORM node:24-bookworm AS build
ARG TARGETARCH
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY packaging/prepare.js packaging/
RUN npm ci --no-audit --no-fund
COPY . .
RUN packaging/release.sh --arch "$TARGETARCH" --stage /release

FROM debian:bookworm-slim
# Pulse meters, relays and the tamper contact go through its programs; without such devices it is not needed.
RUN apt-get update && apt-get install -y --no-install-recommends gpiod && rm -rf /var/lib/apt/lists/*
COPY --from=build /release/node /opt/kilowitness/node
COPY --from=build /release/app /opt/kilowitness/app
COPY --from=build /release/VERSION /opt/kilowitness/VERSION
RUN useradd --system --user-group --no-create-home --home-dir /var/lib/kilowitness \
      --shell /usr/sbin/nologin --uid 998 --groups dialout kilowitness \
  && install -d -m 0700 -o kilowitness -g kilowitness /var/lib/kilowitness /var/lib/kilowitness-node \
  && install -d -m 0750 -o root -g kilowitness /etc/kilowitness
ENV NODE_ENV=production
USER kilowitness
WORKDIR /var/lib/kilowitness
VOLUME ["/var/lib/kilowitness", "/var/lib/kilowitness-node"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/kilowitness/node/bin/node", "/opt/kilowitness/app/bin/kilowitness.js"]
CMD ["--help"]
