# PostgreSQL with Burrow, on the official image.  PG_MAJOR is the image's own variable.
#
#	docker build -t burrow . && docker run -e POSTGRES_PASSWORD=… burrow
#
# What compiles stays behind in the first stage: the image has the three libraries, the
# extension's files, librdkafka, and libmicrohttpd for the exporter.
ARG POSTGRES=postgres:17

FROM $POSTGRES AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential libmicrohttpd-dev librdkafka-dev postgresql-server-dev-$PG_MAJOR
COPY . /burrow
RUN make -C /burrow -j"$(nproc)" && make -C /burrow DESTDIR=/installed install

FROM $POSTGRES
RUN apt-get update && apt-get install -y --no-install-recommends libmicrohttpd12 librdkafka1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /installed /
CMD ["postgres", "-c", "shared_preload_libraries=burrow"]
