# The one image of Taskmill: the operator and the workers, `taskmill operator` and `taskmill worker`.
#   docker build -t taskmill .
# NODE_IMAGE is what the product runs on, BUILD_IMAGE what installs and compiles (it needs npm).
ARG NODE_IMAGE=node:24-bookworm-slim
ARG BUILD_IMAGE=${NODE_IMAGE}

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --loglevel=error && rm -rf /root/.npm

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --loglevel=error && rm -rf /root/.npm
COPY tsconfig.json tsconfig.build.json ./
COPY hack/build.ts hack/
COPY src src
RUN node hack/build.ts

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="taskmill" \
      org.opencontainers.image.description="The Kubernetes operator for background tasks" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /build/node_modules node_modules
COPY package.json ./
COPY --from=build /build/dist dist
# A number, so that runAsNonRoot can be checked. Nothing writes to the file system.
USER 65532:65532
# Node takes half of the memory limit of its container for its heap by default.
ENTRYPOINT ["node", "--max-old-space-size-percentage=70", "/app/dist/main/cli.js"]
