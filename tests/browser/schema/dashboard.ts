// The dashboards as Grafana's own types describe them. From this file ts-json-schema-generator makes the JSON Schema
// that test_schema.py holds the committed dashboards against: every panel's options and custom field settings by the
// type of its own plugin, and nothing beside them.

import type { AnnotationQuery, Dashboard, DataSourceRef, GraphDrawStyle, StackingConfig, VariableModel } from '@grafana/schema';
import type * as Raw from '@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as BarGauge from '@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as Stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as StateTimeline from '@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as Table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as TimeSeries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

// @grafana/schema has no type for a query of Prometheus (it is in @grafana/prometheus, which is not on npm alone).
interface Query {
  datasource: DataSourceRef;
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  interval?: string;
  legendFormat?: string;
  range?: boolean;
  refId: string;
}

type Transformation =
  | { id: 'merge'; options: Record<string, never> }
  | { id: 'organize'; options: Organize }
  | { id: 'sortBy'; options: { fields: Record<string, never>; sort: Array<{ field: string; desc?: boolean }> } }
  | { id: 'groupingToMatrix'; options: Matrix };

interface Organize {
  excludeByName: Record<string, boolean>;
  includeByName: Record<string, boolean>;
  indexByName: Record<string, number>;
  renameByName: Record<string, string>;
}

interface Matrix {
  columnField: string;
  emptyValue: 'true' | 'false' | 'null' | 'empty' | 'zero';
  rowField: string;
  valueField: string;
}

// What an override may set; of the custom settings only those that these dashboards use.
type Property =
  | { id: 'color'; value: Raw.FieldColor }
  | { id: 'custom.cellOptions'; value: NonNullable<Table.FieldConfig['cellOptions']> }
  | { id: 'custom.drawStyle'; value: GraphDrawStyle }
  | { id: 'custom.stacking'; value: StackingConfig }
  | { id: 'custom.width' | 'custom.fillOpacity'; value: number }
  | { id: 'decimals'; value: number }
  | { id: 'displayName' | 'unit'; value: string }
  | { id: 'links'; value: Array<{ title: string; url: string; targetBlank: boolean }> }
  | { id: 'mappings'; value: Raw.ValueMapping[] }
  | { id: 'thresholds'; value: Raw.ThresholdsConfig };

interface FieldConfigOf<Custom> {
  defaults: Omit<Raw.FieldConfig, 'custom'> & { custom?: Custom };
  overrides: Array<{ matcher: { id: 'byName' | 'byFrameRefID'; options: string }; properties: Property[] }>;
}

interface PanelOf<Type extends string, Options, Custom>
  extends Omit<Raw.Panel, 'type' | 'datasource' | 'options' | 'fieldConfig' | 'targets' | 'transformations'> {
  type: Type;
  datasource: DataSourceRef;
  title: string;
  description: string;
  options: Options;
  fieldConfig: FieldConfigOf<Custom>;
  targets: Query[];
  transformations?: Transformation[];
}

type Nothing = Record<string, never>;

// The SDK writes the schema of Grafana 11.6, which has a table's footer among its options.
type TableOptions = Table.Options & { footer?: unknown };

type AnyPanel =
  | PanelOf<'stat', Stat.Options, Nothing>
  | PanelOf<'bargauge', BarGauge.Options, Nothing>
  | PanelOf<'timeseries', TimeSeries.Options, TimeSeries.FieldConfig>
  | PanelOf<'state-timeline', StateTimeline.Options, StateTimeline.FieldConfig>
  | PanelOf<'table', TableOptions, Partial<Table.FieldConfig>>;

// Grafana's type leaves out what the Prometheus data source reads of its annotations.
interface Annotation extends Omit<AnnotationQuery, 'target' | 'snapshotData'> {
  expr: string;
  step: string;
  tagKeys: string;
  target: { expr: string; interval: string; refId: string };
  textFormat: string;
  titleFormat: string;
  useValueForTime: boolean;
}

// The three are an interval variable's in Grafana; the SDK writes them for every variable, and Grafana ignores them.
interface Variable extends VariableModel {
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
}

export interface DashboardFile extends Omit<Dashboard, 'panels' | 'annotations' | 'templating'> {
  uid: string;
  title: string;
  panels: AnyPanel[];
  annotations: { list: Annotation[] };
  templating: { list: Variable[] };
}
