FROM node:24-slim AS base
WORKDIR /app
COPY package.json package-lock.json ./

# Scripts are left out: the package's own wants the sources, the rest bring a Node that the image already has.
FROM base AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts scripts/build.ts
COPY src src
RUN node scripts/build.ts

FROM base AS dependencies
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production CLIENTELA_HTTP_HOST=0.0.0.0
WORKDIR /app
COPY package.json LICENSE ./
COPY bin bin
COPY schemas schemas
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CLIENTELA_HTTP_PORT || 8080}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/clientela.js"]
CMD ["run"]
