// Grafana's Prometheus data source, as far as these dashboards ask for it, on the HTTP API of a real Prometheus.
import { FieldType, rangeUtil, toDataFrame } from '@grafana/data';
import { RuntimeDataSource, sceneGraph } from '@grafana/scenes';
import { of } from 'rxjs';

const SCRAPE_SECONDS = 5;
const HIGHEST_RESOLUTION = 11_000; // points of one series, Prometheus' own limit

const escapeRegex = (text) => text.replace(/\\/g, '\\\\\\\\').replace(/[$^*{}[\]'+?.()|]/g, '\\\\$&');

// As @grafana/prometheus does: of a variable that may have several values, a regular expression.
function asRegex(value, variable) {
  if (!variable.multi && !variable.includeAll) {
    return String(value).replace(/\\/g, '\\\\').replace(/'/g, "\\\\'");
  }
  if (!Array.isArray(value)) {
    return escapeRegex(String(value));
  }
  return value.length === 1 ? escapeRegex(value[0]) : `(${value.map(escapeRegex).join('|')})`;
}

const named = (legend, labels) => legend.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name) => labels[name] ?? name);

export class Prometheus extends RuntimeDataSource {
  constructor(uid, address) {
    super('prometheus', uid);
    this.address = address;
  }

  async ask(path, values) {
    const form = new URLSearchParams(values);
    const url = `${this.address}/api/v1/${path}`;
    const asked = values.query ? fetch(url, { method: 'POST', body: form }) : fetch(`${url}?${form}`);
    const answer = await (await asked).json();
    if (answer.status !== 'success') {
      throw new Error(`${answer.error} in ${form}`);
    }
    return answer.data;
  }

  async query(request) {
    const targets = request.targets.filter((target) => !target.hide && target.expr);
    return { data: (await Promise.all(targets.map((target) => this.answer(target, request, targets)))).flat() };
  }

  async answer(target, request, targets) {
    const end = request.range.to.valueOf() / 1000;
    const start = request.range.from.valueOf() / 1000;
    const step = this.step(target, request, end - start);
    const query = this.interpolated(target.expr, request, step, end - start);
    // Grafana's Explore asks both; a panel asks for the range unless it is told otherwise.
    const isInstant = target.instant && !target.range;
    const found = isInstant
      ? await this.ask('query', { query, time: end })
      : await this.ask('query_range', {
          query, step, start: Math.floor(start / step) * step, end: Math.floor(end / step) * step,
        });
    const series = found.resultType === 'scalar' ? [{ metric: {}, value: found.result }] : found.result;
    return target.format === 'table'
      ? [this.table(series, target, targets.length > 1)]
      : series.map((one) => this.frame(one, target, step, query));
  }

  step(target, request, seconds) {
    const least = rangeUtil.intervalToSeconds(target.interval || `${SCRAPE_SECONDS}s`);
    return Math.max(least, Math.ceil(request.intervalMs / 1000), Math.ceil(seconds / HIGHEST_RESOLUTION));
  }

  interpolated(expr, request, step, seconds) {
    const ms = Math.round(seconds * 1000);
    const vars = {
      ...request.scopedVars,
      __interval: { value: `${step}s` },
      __interval_ms: { value: step * 1000 },
      __rate_interval: { value: `${Math.max(step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)}s` },
      __range: { value: `${Math.ceil(seconds)}s` },
      __range_s: { value: Math.ceil(seconds) },
      __range_ms: { value: ms },
    };
    return sceneGraph.interpolate(request.scopedVars.__sceneObject.value.valueOf(), expr, vars, asRegex);
  }

  frame({ metric, values, value }, target, step, query) {
    const points = values ?? [value];
    const { __name__: name, ...labels } = metric;
    const legend = target.legendFormat;
    const shown =
      legend && legend !== '__auto'
        ? named(legend, labels)
        : Object.keys(labels).length === 0 ? name ?? query : undefined;
    return toDataFrame({
      refId: target.refId,
      name: shown,
      meta: { type: 'timeseries-multi', executedQueryString: query },
      fields: [
        { name: 'Time', type: FieldType.time, values: points.map(([at]) => at * 1000), config: { interval: step * 1000 } },
        {
          name: 'Value',
          type: FieldType.number,
          labels,
          values: points.map(([, text]) => Number(text)),
          config: shown === undefined ? {} : { displayNameFromDS: shown },
        },
      ],
    });
  }

  table(series, target, isOneOfMany) {
    const rows = series.flatMap((one) => (one.values ?? [one.value]).map((point) => [one.metric, point]));
    const names = [...new Set(rows.flatMap(([metric]) => Object.keys(metric)))].sort();
    const column = (name, type, values) => ({ name, type, values, config: {} });
    return toDataFrame({
      refId: target.refId,
      fields: [
        column('Time', FieldType.time, rows.map(([, [at]]) => at * 1000)),
        ...names.map((name) => column(name, FieldType.string, rows.map(([metric]) => metric[name] ?? ''))),
        column(isOneOfMany ? `Value #${target.refId}` : 'Value', FieldType.number, rows.map(([, [, text]]) => Number(text))),
      ],
    });
  }

  // label_values(selector, label), label_values(label): all that these dashboards ask for.
  async metricFindQuery(query, options) {
    const text = (typeof query === 'string' ? query : query.query).trim();
    const found = /^label_values\(\s*(?:([^]+?)\s*,)?\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*\)$/.exec(text);
    if (!found) {
      throw new Error(`not understood: ${text}`);
    }
    const { from, to } = options.range;
    const values = { start: from.valueOf() / 1000, end: to.valueOf() / 1000 };
    if (found[1]) {
      values['match[]'] = this.interpolated(found[1], options, SCRAPE_SECONDS, values.end - values.start);
    }
    return (await this.ask(`label/${found[2]}/values`, values)).map((value) => ({ text: value }));
  }

  // Annotations: one query, its series turned into regions by ``annotationEvents``.
  annotations = {
    prepareAnnotation: (annotation) => annotation,
    prepareQuery: (annotation) => ({
      ...annotation.target, expr: annotation.expr ?? annotation.target?.expr, interval: annotation.step,
    }),
    processEvents: (annotation, frames) => of(annotationEvents(annotation, frames)),
  };
}

// As @grafana/prometheus does: samples that follow each other are one region.
function annotationEvents(annotation, frames) {
  return frames.flatMap((frame) => {
    const [times, value] = frame.fields;
    const step = times.config.interval;
    const labels = value.labels ?? {};
    const told = {
      title: named(annotation.titleFormat ?? '', labels),
      text: named(annotation.textFormat ?? '', labels),
      tags: (annotation.tagKeys ?? '').split(',').filter(Boolean).map((key) => labels[key]).filter(Boolean),
      color: annotation.iconColor,
      type: annotation.name,
    };
    const events = [];
    times.values.forEach((at, index) => {
      if (!value.values[index]) {
        return;
      }
      const last = events.at(-1);
      if (last && at - last.timeEnd <= step) {
        last.timeEnd = at;
      } else {
        events.push({ ...told, time: at, timeEnd: at, isRegion: true });
      }
    });
    return events;
  });
}
