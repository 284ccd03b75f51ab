# SPDX-License-Identifier: GPL-2.0-or-later
#
# An image of one static program, a link with its other name, and what it is made of (make oci makes the same for two
# architectures without an engine).  --target=istio-inject: that of the other program.
# BASE is any Debian 12 or 13, best by its digest (debian@sha256:...), which BASE_DIGEST puts into a label: only the build
# happens in it.  VERSION, REVISION and SOURCE become labels, too.
ARG BASE=debian:13
FROM ${BASE} AS build
WORKDIR /src
COPY .ci/packages .ci/as-root .ci/
RUN .ci/packages build
COPY . .
RUN make sbom && mkdir -p /image/usr/share/doc /inject/usr/share/doc && \
    cp -P build/istio-init build/istio-iptables /image/ && cp -R build/doc/istio-init /image/usr/share/doc/ && \
    cp build/istio-inject /inject/ && cp -R build/doc/istio-inject /inject/usr/share/doc/

FROM scratch AS istio-inject
ARG VERSION
ARG REVISION
ARG SOURCE
ARG BASE
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="istio-inject" \
      org.opencontainers.image.description="Puts istio-init and a proxy container into pods" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.licenses="GPL-2.0-or-later"
COPY --from=build /inject/ /
USER 65532:65532
ENTRYPOINT ["/istio-inject"]

FROM scratch
ARG VERSION
ARG REVISION
ARG SOURCE
ARG BASE
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="istio-init" \
      org.opencontainers.image.description="Traffic capture rules of an Istio pod, by one static program" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.licenses="GPL-2.0-or-later"
COPY --from=build /image/ /
# For a manifest that names the command: istio-iptables
ENV PATH=/
# For one that gives args only: ["istio-iptables", "-p", "15001", ...]
ENTRYPOINT ["/istio-init"]
