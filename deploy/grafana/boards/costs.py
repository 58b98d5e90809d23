"""What models cost, and who spends it."""

from deploy.grafana.panels import APP, TENANT, WORKFLOW, Board, Sql, chart, listing

_OVER_TIME = (
    chart(
        "Price, by currency",
        "As the prices of the model providers say. Nodes of called workflows count where they ran.",
        Sql(
            """SELECT time, currency, toFloat64(sum(m.price)) AS price FROM node_metrics_${period}
                AS m WHERE m.price > 0 AND $shown AND $chosen
                GROUP BY time, currency ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Tokens, by type of node",
        "Of prompts and completions.",
        Sql(
            """SELECT time, node_type, sum(m.tokens) AS tokens FROM node_metrics_${period}
                AS m WHERE m.tokens > 0 AND $shown AND $chosen
                GROUP BY time, node_type ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Price, by app",
        "In all currencies that occur.",
        Sql(
            """SELECT time, concat(app_id, ' ', currency) AS app, toFloat64(sum(m.price)) AS price
                FROM node_metrics_${period} AS m WHERE m.price > 0 AND $shown AND $chosen
                GROUP BY time, app ORDER BY time"""
        ),
        stack=True,
    ),
    chart(
        "Tokens of a run, on average",
        "By app, of runs that used any.",
        Sql(
            """SELECT time, app_id, sum(m.tokens) / sum(runs) AS tokens FROM run_metrics_${period}
                AS m WHERE m.tokens > 0 AND $shown AND $chosen GROUP BY time, app_id ORDER BY time"""
        ),
    ),
)

_LISTS = (
    listing(
        "Tenants and apps",
        "The most expensive first.",
        """SELECT tenant_id, app_id, currency, sum(price) AS price, sum(tokens) AS tokens,
                   sum(executions) AS executions
            FROM node_metrics_${period} AS m WHERE $shown AND $chosen
            GROUP BY tenant_id, app_id, currency
            HAVING price > 0 OR tokens > 0 ORDER BY price DESC, tokens DESC LIMIT 100""",
        width=12,
    ),
    listing(
        "Nodes",
        "The most expensive first, with what one execution costs.",
        """SELECT app_id, workflow_id, node_id, node_type, currency, sum(price) AS price,
                   sum(tokens) AS tokens, sum(executions) AS executions,
                   toFloat64(price) / executions AS price_each
            FROM node_metrics_${period} AS m WHERE $shown AND $chosen
            GROUP BY app_id, workflow_id, node_id, node_type, currency
            HAVING price > 0 OR tokens > 0 ORDER BY price DESC, tokens DESC LIMIT 100""",
        width=12,
    ),
)

BOARD = Board(
    name="costs",
    title="Hopline / Costs",
    about="What models cost: tokens and prices, by tenant, app, workflow and node.",
    rows=(("Over time", _OVER_TIME), ("One by one", _LISTS)),
    variables=(TENANT, APP, WORKFLOW),
    periods=("1d", "1h"),
    since="now-30d",
)
