# Debian 13 that boots with systemd, with cn_monitor installed as `make install` does. Its base is the
# builder of deploy/container, which scripts/test-deploy has made by then.
FROM localhost/cn_monitor_build:test
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd systemd-sysv dbus \
        redis-server && \
    systemctl disable redis-server
RUN meson configure build -Dsystemd=enabled && \
    ninja -C build programs && \
    meson install -C build --no-rebuild
RUN systemctl mask systemd-udevd.service systemd-logind.service getty.target console-getty.service \
        sys-kernel-debug.mount && \
    mkdir -p /etc/cn_monitor /srv/cluster/home
STOPSIGNAL SIGRTMIN+3
# In a container systemd leaves the mounts as it finds them, private; credentials need them shared.
CMD ["sh", "-c", "mount --make-rshared / && exec /sbin/init"]
