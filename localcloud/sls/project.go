package sls

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	projectName  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	logstoreName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,61}[A-Za-z0-9]$`)
)

// projectAnswer is a project as answered.
type projectAnswer struct {
	Name           string `json:"projectName"`
	Status         string `json:"status"`
	Owner          string `json:"owner"`
	Description    string `json:"description"`
	Region         string `json:"region"`
	CreateTime     string `json:"createTime"` // Unix seconds
	LastModifyTime string `json:"lastModifyTime"`
}

func (s *Server) projectAnswer(name string, d projectDoc) projectAnswer {
	return projectAnswer{
		Name: name, Status: "Normal", Owner: s.opts.AccountID, Description: d.Description, Region: s.opts.Region,
		CreateTime: itoa(d.CreateTime), LastModifyTime: itoa(d.ModifyTime),
	}
}

// newProject is the name that the body of CreateProject gives; clients may send that to the endpoint itself.
func (c *call) newProject() (string, error) {
	var body struct {
		Name string `json:"projectName"`
	}
	err := c.readJSON(&body)
	if err == nil && !projectName.MatchString(body.Name) {
		err = badProjectName(body.Name)
	}
	return body.Name, err
}

func badProjectName(name string) error {
	return badRequest("ParameterInvalid", "project name %.100q must be 3 to 63 of a-z, 0-9 and -, not beginning or ending with -", name)
}

func (c *call) createProject() error {
	var body struct {
		Name        string `json:"projectName"`
		Description string `json:"description"`
	}
	if err := c.readJSON(&body); err != nil {
		return err
	}
	if body.Name != c.project {
		return badRequest("ParameterInvalid", "projectName %.100q is not the project %q of the host", body.Name, c.project)
	}
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	if _, ok := c.s.project(body.Name); ok {
		return badRequest("ProjectAlreadyExist", "project %s already exists", body.Name)
	}
	if err := c.s.addProject(c.r.Context(), body.Name, body.Description); err != nil {
		return err
	}
	return c.ok()
}

// addProject makes a project; the caller holds changing.
func (s *Server) addProject(ctx context.Context, name, description string) error {
	if !projectName.MatchString(name) {
		return badProjectName(name)
	}
	now := s.opts.Clock().Unix()
	doc := projectDoc{Description: description, CreateTime: now, ModifyTime: now}
	if err := s.meta.apply(ctx, change{"project/" + name, doc}); err != nil {
		return err
	}
	s.mu.Lock()
	s.projects[name] = &project{doc: doc, stores: map[string]*logstore{}}
	s.mu.Unlock()
	s.opts.NamesChanged()
	return nil
}

func (s *Server) project(name string) (projectDoc, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, ok := s.projects[name]
	if !ok {
		return projectDoc{}, false
	}
	return p.doc, true
}

func (c *call) getProject() error {
	doc, ok := c.s.project(c.project)
	if !ok {
		return projectNotExist(c.project)
	}
	return c.json(c.s.projectAnswer(c.project, doc))
}

func (c *call) updateProject() error {
	var body struct {
		Description string `json:"description"`
	}
	if err := c.readJSON(&body); err != nil {
		return err
	}
	c.s.changing.Lock()
	defer c.s.changing.Unlock()
	doc, ok := c.s.project(c.project)
	if !ok {
		return projectNotExist(c.project)
	}
	doc.Description, doc.ModifyTime = body.Description, c.s.opts.Clock().Unix()
	if err := c.s.meta.apply(c.r.Context(), change{"project/" + c.project, doc}); err != nil {
		return err
	}
	c.s.mu.Lock()
	c.s.projects[c.project].doc = doc
	c.s.mu.Unlock()
	return c.ok()
}

func (c *call) deleteProject() error {
	s := c.s
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, ok := s.project(c.project); !ok {
		return projectNotExist(c.project)
	}
	var gone []change
	for _, kind := range []string{"project/", "logstore/", "index/", "group/", "checkpoint/"} {
		gone = append(gone, change{kind + c.project, nil})
	}
	if err := s.meta.apply(c.r.Context(), gone...); err != nil {
		return err
	}
	s.mu.Lock()
	p := s.projects[c.project]
	delete(s.projects, c.project)
	s.mu.Unlock()
	s.opts.NamesChanged()
	for _, l := range p.stores {
		if err := l.remove(s.trash()); err != nil {
			return err
		}
	}
	if err := discard(filepath.Join(s.opts.Dir, c.project), s.trash()); err != nil {
		return err
	}
	return c.ok()
}

func (c *call) listProjects() error {
	q := c.r.URL.Query()
	var all []string
	for _, name := range c.s.Projects() {
		if strings.Contains(name, q.Get("projectName")) {
			all = append(all, name)
		}
	}
	page, err := c.page(all, 500)
	if err != nil {
		return err
	}
	answers := make([]projectAnswer, 0, len(page))
	for _, name := range page {
		if doc, ok := c.s.project(name); ok {
			answers = append(answers, c.s.projectAnswer(name, doc))
		}
	}
	return c.json(map[string]any{"projects": answers, "count": len(answers), "total": len(all)})
}

// page cuts names by the parameters offset (default 0) and size (default and at most limit).
func (c *call) page(names []string, limit int64) ([]string, error) {
	offset, err := c.intParam("offset", 0)
	if err != nil {
		return nil, err
	}
	size, err := c.intParam("size", limit)
	if err != nil {
		return nil, err
	}
	if offset < 0 || size < -1 {
		return nil, badRequest("ParameterInvalid", "offset %d or size %d is negative", offset, size)
	}
	if size == -1 || size > limit {
		size = limit
	}
	n := int64(len(names))
	begin := min(offset, n)
	return names[begin:min(begin+size, n)], nil
}

// EnsureLogstore makes the project and the logstore of a service's logConfig if they are missing. Errors are those of bad
// names, or the disk's.
func (s *Server) EnsureLogstore(ctx context.Context, projectName, logstoreName string) error {
	if _, err := s.logstore(projectName, logstoreName); err == nil {
		return nil
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, ok := s.project(projectName); !ok {
		if err := s.addProject(ctx, projectName, "made for a service's logConfig"); err != nil {
			return err
		}
	}
	if _, err := s.logstore(projectName, logstoreName); err == nil {
		return nil
	}
	return s.addLogstore(ctx, projectName, logstoreName, logstoreDoc{TTLDays: defaultTTL, Shards: defaultShards})
}
