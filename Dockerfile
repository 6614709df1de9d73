# Both images hold one program, the C library it is linked with, and nothing else: no shell, no package manager.
# `make images` lays the files out under target/image, and builds this with docker or buildah, whichever is there.

FROM scratch AS operator
COPY target/image/operator/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/kilonova-operator"]

FROM scratch AS server
COPY target/image/server/ /
USER 65532:65532
ENTRYPOINT ["/usr/bin/kilonova-server"]
