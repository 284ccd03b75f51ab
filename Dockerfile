# SPDX-License-Identifier: GPL-2.0-or-later
#
# An image of one file: the static program, and a link with its other name.
# --target=istio-inject: that of the other program.
# BASE is any Debian 12 or 13; only the build happens in it.
ARG BASE=debian:13
FROM ${BASE} AS build
WORKDIR /src
COPY .ci/packages .ci/as-root .ci/
RUN .ci/packages build
COPY . .
RUN make && mkdir /image && cp -P build/istio-init build/istio-iptables /image/

FROM scratch AS istio-inject
LABEL org.opencontainers.image.title="istio-inject" \
      org.opencontainers.image.description="Puts istio-init and a proxy container into pods" \
      org.opencontainers.image.licenses="GPL-2.0-or-later"
COPY --from=build /src/build/istio-inject /
USER 65532:65532
ENTRYPOINT ["/istio-inject"]

FROM scratch
LABEL org.opencontainers.image.title="istio-init" \
      org.opencontainers.image.description="Traffic capture rules of an Istio pod, by one static program" \
      org.opencontainers.image.licenses="GPL-2.0-or-later"
COPY --from=build /image/ /
# For a manifest that names the command: istio-iptables
ENV PATH=/
# For one that gives args only: ["istio-iptables", "-p", "15001", ...]
ENTRYPOINT ["/istio-init"]
