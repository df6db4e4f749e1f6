# Stands in for the official image redis:8 where no registry is reached: the same user, folder and
# program, from Debian's package.
FROM debian:trixie-slim
RUN groupadd --gid 999 redis && \
    useradd --uid 999 --gid redis --home-dir /data --no-create-home --shell /usr/sbin/nologin redis && \
    apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* && \
    install -d -o redis -g redis -m 0755 /data
WORKDIR /data
VOLUME /data
EXPOSE 6379
CMD ["redis-server"]
