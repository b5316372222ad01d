// The state timeline, whose component Grafana does not publish, drawn minimally: it proves the query, its colours and its
// words, not Grafana's own drawing.
import { FieldType, dateTimeFormat, formattedValueToString, getFieldDisplayName } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';

const LABELS = 150;
const AXIS = 20;
const LINE = { dominantBaseline: 'middle', fontSize: 12 };

const numbersOf = (frames) =>
  frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time);
    return frame.fields
      .filter((field) => field !== time && field.type !== FieldType.other && field.config.custom?.hideFrom?.viz !== true)
      .map((field) => ({ name: getFieldDisplayName(field, frame, frames), field, times: time?.values ?? [] }));
  });

// Neighbouring samples that read the same are one block; a hole in the samples ends it.
function blocks({ field, times }, end) {
  const step = Math.min(...times.slice(1).map((at, index) => at - times[index]), end);
  const found = [];
  times.forEach((at, index) => {
    const raw = field.values[index];
    if (raw === null || raw === undefined) {
      return;
    }
    const shown = field.display(raw);
    const words = formattedValueToString(shown);
    const last = found.at(-1);
    if (last && last.words === words && at - last.to <= step) {
      last.to = at + step;
    } else {
      found.push({ from: at, to: at + step, color: shown.color, words });
    }
  });
  return found;
}

function TimeAxis({ timeRange, timeZone, place, y, color }) {
  const from = timeRange.from.valueOf();
  const to = timeRange.to.valueOf();
  return [0, 0.25, 0.5, 0.75, 1].map((part) => (
    <text key={part} x={place(from + part * (to - from))} y={y} textAnchor="middle" fill={color} fontSize={11}>
      {dateTimeFormat(from + part * (to - from), { format: 'DD/MM HH:mm', timeZone })}
    </text>
  ));
}

export function StateTimeline({ data, timeRange, timeZone, width, height }) {
  const theme = useTheme2();
  const series = numbersOf(data.series);
  const from = timeRange.from.valueOf();
  const to = timeRange.to.valueOf();
  const place = (at) => LABELS + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (width - LABELS - 30);
  const tall = (height - AXIS) / series.length;
  return (
    <svg width={width} height={height}>
      {series.map((one, row) => (
        <g key={one.name} transform={`translate(0 ${row * tall})`}>
          <text x={0} y={tall / 2} fill={theme.colors.text.primary} {...LINE}>{one.name}</text>
          {blocks(one, to).map((block) => (
            <g key={block.from} data-testid="block" data-words={block.words} data-color={block.color}>
              <rect x={place(block.from)} y={2} width={Math.max(1, place(block.to) - place(block.from))}
                height={Math.max(1, tall - 4)} fill={block.color} />
              {place(block.to) - place(block.from) > 60 && (
                <text x={place(block.from) + 4} y={tall / 2} fill={theme.colors.getContrastText(block.color)} {...LINE}>
                  {block.words}
                </text>
              )}
            </g>
          ))}
        </g>
      ))}
      <TimeAxis {...{ timeRange, timeZone, place, y: height - 4, color: theme.colors.text.secondary }} />
    </svg>
  );
}
