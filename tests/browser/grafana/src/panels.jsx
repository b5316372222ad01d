// Panel plugins over the components that Grafana itself draws with: stat, time series, table, bar gauge.
import {
  LoadingState, PanelPlugin, VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues,
  identityOverrideProcessor,
} from '@grafana/data';
import { sceneUtils } from '@grafana/scenes';
import { BarGauge, BigValue, Table, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { StateTimeline } from './drawn.jsx';

// defaultGraphConfig of Grafana's time series panel.
const LINES = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none',
  fillBelowTo: undefined, barAlignment: 0, barWidthFactor: 0.6, barMaxWidth: undefined, showPoints: 'auto', pointSize: 5,
  lineStyle: { fill: 'solid' }, lineColor: undefined, stacking: { mode: 'none', group: 'A' }, transform: undefined,
  axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text', axisBorderShow: false, axisCenteredZero: false,
  axisGridShow: undefined, axisWidth: undefined, axisSoftMin: undefined, axisSoftMax: undefined,
  scaleDistribution: { type: 'linear' }, hideFrom: { tooltip: false, viz: false, legend: false },
  thresholdsStyle: { mode: 'off' }, spanNulls: false, insertNulls: false, showValues: false,
};
const CELLS = {
  align: 'auto', cellOptions: { type: 'auto' }, width: undefined, minWidth: undefined, inspect: false, hidden: undefined,
  filterable: undefined, footer: undefined, wrapHeaderText: undefined, hideFrom: undefined,
};
const BLOCKS = { lineWidth: 0, fillOpacity: 70, spanNulls: false, insertNulls: false, hideFrom: undefined,
  axisPlacement: 'auto' };

const isEmpty = (frames) => frames.every((frame) => frame.length === 0);

function NoData({ fieldConfig }) {
  return <div data-testid="no-data">{fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

// A test waits until nothing is loading any more.
const stateOf = ({ state, series }) => {
  if (isEmpty(series)) {
    return state === LoadingState.Loading ? 'loading' : 'no-data';
  }
  return 'values';
};

const shown = (Component) =>
  function Shown(panel) {
    if (stateOf(panel.data) === 'loading') {
      return <div data-testid="loading" />;
    }
    return isEmpty(panel.data.series) ? <NoData {...panel} /> : <Component {...panel} />;
  };

const values = ({ data, options, fieldConfig, replaceVariables, timeZone }, theme, sparkline) =>
  getFieldDisplayValues({
    data: data.series, reduceOptions: options.reduceOptions, fieldConfig, replaceVariables, theme, timeZone, sparkline,
  });

// Of no data it shows one value, which reads as the panel's own words for that.
const repeated = (renderValue) =>
  function Repeated(panel) {
    const theme = useTheme2();
    const { data, options, width, height, renderCounter } = panel;
    return (
      <div data-testid={stateOf(data)}>
        <VizRepeater
          source={data}
          getValues={() => values(panel, theme, options.graphMode && options.graphMode !== 'none')}
          getAlignmentFactors={getDisplayValueAlignmentFactors}
          renderValue={(one) => renderValue(one, options, theme)}
          orientation={options.orientation ?? VizOrientation.Auto}
          autoGrid
          {...{ width, height, renderCounter }}
        />
      </div>
    );
  };

const Stat = repeated(({ value: { display, sparkline }, width, height, count, alignmentFactors }, options, theme) => (
  <div data-testid="big-value" data-color={display.color}>
    <BigValue
      value={display}
      colorMode={options.colorMode ?? 'value'}
      graphMode={options.graphMode ?? 'area'}
      justifyMode={options.justifyMode}
      textMode={options.textMode}
      text={options.text}
      disableWideLayout={!options.wideLayout}
      {...{ sparkline, width, height, count, alignmentFactors, theme }}
    />
  </div>
));

const Bars = repeated(({ value, width, height, orientation, alignmentFactors }, options, theme) => (
  <div data-testid="bar" data-color={value.display.color}>
    <BarGauge
      value={value.display}
      field={value.field}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      displayMode={options.displayMode ?? 'gradient'}
      showUnfilled={options.showUnfilled}
      valueDisplayMode={options.valueMode}
      namePlacement={options.namePlacement}
      text={options.text}
      itemSpacing={10}
      {...{ width, height, orientation, alignmentFactors, theme }}
    />
  </div>
));

// Regions of time, drawn under the curves: Grafana's own plugin for it is not on npm.
function shade(annotations) {
  const regions = annotations.flatMap(rows);
  return (builder) => {
    builder.addHook('drawClear', (plot) => {
      for (const { time, timeEnd, color } of regions) {
        const from = Math.max(plot.valToPos(time, 'x', true), plot.bbox.left);
        const to = Math.min(plot.valToPos(timeEnd, 'x', true), plot.bbox.left + plot.bbox.width);
        plot.ctx.fillStyle = color ?? 'red';
        plot.ctx.globalAlpha = 0.15;
        plot.ctx.fillRect(from, plot.bbox.top, Math.max(2, to - from), plot.bbox.height);
        plot.ctx.globalAlpha = 1;
      }
    });
    return null;
  };
}

function rows(frame) {
  return Array.from({ length: frame.length }, (_, index) =>
    Object.fromEntries(frame.fields.map((field) => [field.name, field.values[index]])));
}

function Curves({ data, timeRange, timeZone, width, height, options }) {
  const annotations = data.annotations ?? [];
  return (
    <div data-testid="curves" data-annotations={annotations.reduce((sum, frame) => sum + frame.length, 0)}>
      <TimeSeries
        frames={data.series.filter((frame) => frame.length > 0)}
        structureRev={data.structureRev}
        legend={options.legend ?? { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] }}
        options={options}
        {...{ timeRange, timeZone, width, height }}
      >
        {shade(annotations)}
      </TimeSeries>
    </div>
  );
}

function Rows({ data, width, height, options, timeRange, fieldConfig }) {
  return (
    <Table
      data={data.series[options.frameIndex ?? 0]}
      noHeader={options.showHeader === false}
      initialSortBy={options.sortBy}
      cellHeight={options.cellHeight}
      {...{ width, height, timeRange, fieldConfig }}
    />
  );
}

function register(pluginId, component, custom = {}) {
  const plugin = new PanelPlugin(component).useFieldConfig({
    useCustomConfig: (builder) => {
      for (const [id, defaultValue] of Object.entries(custom)) {
        builder.addCustomEditor({
          id, path: id, name: id, defaultValue, editor: () => null, override: () => null,
          process: identityOverrideProcessor, shouldApply: () => true,
        });
      }
    },
  });
  sceneUtils.registerRuntimePanelPlugin({ pluginId, plugin });
}

export function registerPanels() {
  register('stat', Stat);
  register('bargauge', Bars);
  register('timeseries', shown(Curves), LINES);
  register('table', shown(Rows), CELLS);
  register('state-timeline', shown(StateTimeline), BLOCKS);
}
