// A dashboard's JSON, as it is committed, made into a scene of Grafana's.
import {
  EmbeddedScene, QueryVariable, SceneDataLayerControls, SceneDataLayerSet, SceneDataTransformer, SceneGridItem,
  SceneGridLayout, SceneQueryRunner, SceneRefreshPicker, SceneTimePicker, SceneTimeRange, SceneVariableSet,
  VariableValueSelectors, VizPanel, dataLayers,
} from '@grafana/scenes';

const INTERVALS = ['1s', '5s', '10s', '15s', '30s', '1m', '5m'];

function variableOf({ type, name, label, hide, query, regex, sort, refresh, datasource, multi, includeAll, ...json }) {
  if (type !== 'query') {
    throw new Error(`variable ${name} is of a type that is not played here: ${type}`);
  }
  return new QueryVariable({
    name, label, hide, query, regex, sort, refresh, datasource, includeAll,
    isMulti: multi,
    allValue: json.allValue || undefined,
    value: json.current?.value ?? '',
    text: json.current?.text ?? '',
  });
}

function panelOf(json) {
  const { x, y, w, h } = json.gridPos;
  const runner = new SceneQueryRunner({
    queries: json.targets,
    datasource: json.datasource,
    maxDataPoints: json.maxDataPoints,
    maxDataPointsFromWidth: !json.maxDataPoints,
    minInterval: json.interval,
    dataLayerFilter: { panelId: json.id },
  });
  const body = new VizPanel({
    key: `panel-${json.id}`,
    title: json.title,
    description: json.description,
    pluginId: json.type,
    options: json.options ?? {},
    fieldConfig: { defaults: {}, overrides: [], ...json.fieldConfig },
    displayMode: json.transparent ? 'transparent' : 'default',
    $data: new SceneDataTransformer({ $data: runner, transformations: json.transformations ?? [] }),
  });
  return new SceneGridItem({ x, y, width: w, height: h, isResizable: false, isDraggable: false, body });
}

const annotationOf = (query, index) =>
  new dataLayers.AnnotationsDataLayer({
    key: `annotation-${index}`, name: query.name, query, isEnabled: query.enable, isHidden: query.hide,
  });

export function sceneOf({ time, templating, annotations, panels, ...json }, refresh) {
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange(time),
    $variables: new SceneVariableSet({ variables: templating.list.map(variableOf) }),
    $data: new SceneDataLayerSet({ layers: annotations.list.map(annotationOf) }),
    controls: [
      new VariableValueSelectors({}), new SceneDataLayerControls(), new SceneTimePicker({}),
      new SceneRefreshPicker({ refresh: refresh ?? json.refresh, intervals: INTERVALS }),
    ],
    body: new SceneGridLayout({ isLazy: false, children: panels.map(panelOf) }),
  });
}
