# rind for everybody who has docker, podman or buildah and reaches a registry:
#   node scripts/image.mjs, or docker build -t rind .
# Where there is no registry: Dockerfile.scratch.
#
# The runtime that is compiled in is the one of package-lock.json, with its checksum: it comes from
# npm like the rest, so that the image runs what the tests ran, and no second pin can differ.
ARG NODE=docker.io/library/node:22-bookworm-slim

FROM ${NODE} AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates libcap2-bin \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/root.mjs /root/image

# A base such as distroless would add about 20 MB, of which rind needs 3.
FROM scratch
COPY --from=build /root/image/ /
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rind" \
  org.opencontainers.image.description="An edge proxy and Kubernetes ingress controller" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Nothing is written at run time: the root may be read-only.
ENV BUN_RUNTIME_TRANSPILER_CACHE_PATH=0
USER 65532:65532
WORKDIR /
EXPOSE 8000 8443 8080
ENTRYPOINT ["/rind"]
# The lesson, with three cheese servers in place of pods. A cluster gives its own arguments.
CMD ["demo", "--manifests", "/manifests", "--http", "0.0.0.0:8000", "--https", "0.0.0.0:8443", "--admin", "0.0.0.0:8080"]
