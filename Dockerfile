# For builds that can be repeated, name the images by digest: --build-arg BASE=debian@sha256:… --build-arg SWIFT=swift@sha256:…
ARG SWIFT=swift:6.3-bookworm
ARG BASE=debian:bookworm-slim

# Builds the server: one file, with Swift's libraries in it.
FROM ${SWIFT} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends libssl-dev libuv1-dev libzmq3-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --static-swift-stdlib --product code-interpreter \
    && strip -o /code-interpreter .build/release/code-interpreter

# A tmpfs takes over the mode of the directory that it covers, but belongs to root: hence 1777 for the workspace.
FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates libssl3 libuv1 libzmq5 python3 python3-venv tini util-linux \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --no-create-home --uid 1000 --shell /bin/bash user \
    && install -d -o user -g user /opt/code-interpreter \
    && install -d -o user -g user -m 1777 /home/user

# Kernels may install packages of their own, so the environment is their user's. The packages' own tests stay out.
USER user
COPY --chown=user:user kernel/requirements.txt kernel/constraints.txt /tmp/
RUN python3 -m venv /opt/code-interpreter \
    && /opt/code-interpreter/bin/pip install --no-cache-dir --disable-pip-version-check -q -r /tmp/requirements.txt \
    && find /opt/code-interpreter/lib -type d -name tests -prune -exec rm -r {} + \
    && mkdir -p /opt/code-interpreter/share/code-interpreter \
    && MPLCONFIGDIR=/opt/code-interpreter/share/code-interpreter/matplotlib \
        /opt/code-interpreter/bin/python -c 'import matplotlib.font_manager'
# Kernels of other languages: --build-arg LANGUAGES="bash javascript r java". Each is a layer of its own.
ARG LANGUAGES="bash javascript"
USER root
COPY kernel/languages /tmp/languages
RUN case " ${LANGUAGES} " in *" bash "*) /tmp/languages/install /opt/code-interpreter bash ;; esac
RUN case " ${LANGUAGES} " in *" javascript "*) /tmp/languages/install /opt/code-interpreter javascript ;; esac
RUN case " ${LANGUAGES} " in *" r "*) /tmp/languages/install /opt/code-interpreter r && rm -rf /var/lib/apt/lists/* ;; esac
RUN case " ${LANGUAGES} " in *" java "*) /tmp/languages/install /opt/code-interpreter java && rm -rf /var/lib/apt/lists/* ;; esac
USER user

COPY --chown=user:user kernel /tmp/kernel
RUN /opt/code-interpreter/bin/pip install --no-cache-dir --disable-pip-version-check -q --no-deps /tmp/kernel
COPY --from=build /code-interpreter /usr/local/bin/code-interpreter

# Deno keeps what it has compiled, by default in the home, which is the workspace.
ENV CODE_INTERPRETER_HOST=0.0.0.0 \
    CODE_INTERPRETER_PORT=49999 \
    CODE_INTERPRETER_PYTHON_ENVIRONMENT=/opt/code-interpreter \
    CODE_INTERPRETER_WORKSPACE=/home/user \
    DENO_DIR=/tmp/deno \
    PATH=/opt/code-interpreter/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/home/user
WORKDIR /home/user
EXPOSE 49999
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["code-interpreter", "health"]
# PID 1 reaps what kernels leave behind.
ENTRYPOINT ["tini", "--", "code-interpreter", "serve"]
