//! View models and their renderings: text, Markdown, JSON, HTML.
